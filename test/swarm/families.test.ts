// Every family from the command line: served, generated from and fine-tuned with no other change than the model's name.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { familyModels, familyPath, readFamilyReference } from '../model/families/families.ts'

const run = promisify(execFile)
const bin = join(import.meta.dirname, '../../cli/bin.js')

/** A character for each id, so that what is printed tells the ids. */
const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'

const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries([...characters].map((character, id) => [character, id])),
    merges: []
  }
}

async function swarm(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [bin, ...args], { timeout: 60 * second })
  return stdout
}

const textOf = (ids: readonly number[]): string => ids.map(id => characters[id]).join('')

describe('from the command line', { timeout: 240 * second, concurrency: 3 }, () => {
  let home: string
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-families-'))
    process.env.SWARM_HOME = join(home, 'data')
    const examples = ['ab', 'cd'].map(prompt => JSON.stringify({ prompt, completion: 'xyzxyz' }))
    await writeFile(join(home, 'examples.jsonl'), `${examples.join('\n')}\n`)
  })
  after(() => rm(home, { recursive: true, force: true }))

  for (const [family, [name]] of Object.entries(familyModels)) {
    test(`${family} ('${name}')`, async () => {
      const model = join(home, name)
      await cp(familyPath(name), model, { recursive: true })
      await writeFile(join(model, 'tokenizer.json'), JSON.stringify(tokenizer))
      await writeFile(join(model, 'tokenizer_config.json'), '{}')
      const reference = await readFamilyReference(name)
      const [prompt, tokens] = ['greedy.ids', 'greedy.tokens'].map(field =>
        Array.from(reference[field]!.data as BigInt64Array, Number)
      ) as [number[], number[]]
      // the reference goes on after an end token
      const end = tokens.includes(2) ? tokens.indexOf(2) : tokens.length

      const last = name.startsWith('gemma') ? 3 : 2
      const [server] = await startServers(model, [{ first: 0, end: last }])
      try {
        const joining = ['--join', server!.address]
        const generate = ['generate', model, textOf(prompt), ...joining, '--max-new-tokens', '32']
        assert.ok((await swarm(...generate)).includes(textOf(tokens.slice(0, end))))
        const adapter = join(home, `${name}-adapter`)
        const training = ['--max-steps', '30', '--learning-rate', '0.05', '--per-device-train-batch-size', '2']
        const peft = ['--r', '4', '--lora-alpha', '8', '--target-modules', 'all-linear']
        await swarm(
          'train',
          model,
          join(home, 'examples.jsonl'),
          ...joining,
          '--output-dir',
          adapter,
          ...training,
          ...peft
        )
        const tuned = await swarm('generate', model, 'ab', ...joining, '--adapter', adapter, '--max-new-tokens', '6')
        assert.ok(tuned.includes('xyzxyz'), tuned)
      } finally {
        await server!.stop()
      }
    })
  }
})
