// The fields of a model's generation_config.json in generations that say nothing else, beside transformers' generate
// (scripts/reference/generation_config.py).
import assert from 'node:assert/strict'
import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { generationDefaults, withDefaults } from '../../../client/generate/defaults.ts'
import { AutoDistributedModelForCausalLM } from '../../../client/index.ts'
import { collect, readReference, referencePath, temporaryFolder } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

interface Row {
  readonly fields: Readonly<Record<string, unknown>>
  readonly ids: number[]
  readonly sequences: number[][]
}

const rows = readReference<Row[]>('generation-config.json')
const path = referencePath('grouped')

describe('generation_config.json', () => {
  let swarm: TestSwarm
  before(async () => {
    swarm = await startSwarm([[0, 4]], { path })
  })
  after(() => swarm[Symbol.asyncDispose]())

  /** The model with another generation_config.json. */
  async function open(context: TestContext, fields: object) {
    const folder = await temporaryFolder(context)
    for (const name of await readdir(path)) {
      if (name !== 'generation_config.json') await symlink(join(path, name), join(folder, name))
    }
    await writeFile(join(folder, 'generation_config.json'), JSON.stringify(fields))
    return await AutoDistributedModelForCausalLM.fromPretrained(folder, { initialPeers: swarm.join, codec: 'fp32' })
  }

  for (const { fields, ids, sequences } of rows) {
    it(`gives the tokens of transformers: ${JSON.stringify(fields)}`, async context => {
      await using model = await open(context, fields)
      assert.deepEqual(await model.generate([ids]), sequences)
    })
  }

  it('gives way to what the caller says, and to useGenerationConfig: false', async context => {
    await using model = await open(context, { ...rows[3]!.fields, no_repeat_ngram_size: 2, eos_token_id: 2 })
    const [plain, repeats] = [rows[0]!, rows[3]!]
    assert.deepEqual(await model.generate([plain.ids], { noRepeatNgramSize: 0 }), plain.sequences)
    assert.deepEqual(await model.generate([plain.ids], { noRepeatNgramSize: undefined }), repeats.sequences)
    const free = { useGenerationConfig: false, maxNewTokens: 12 }
    assert.deepEqual(await model.generate([plain.ids], free), plain.sequences)
    const streamed = await collect(model.generateStream([plain.ids]))
    assert.deepEqual([plain.ids.concat(streamed.map(({ token }) => token!))], repeats.sequences)
  })

  it('with what is not done here is refused by name', async context => {
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ guidance_scale: 1.5 }, /guidance_scale = 1.5 is not supported and would change what is generated/],
      [{ sequence_bias: [[[5], -1]] }, /sequence_bias/],
      [{ encoder_repetition_penalty: 1.2 }, /encoder_repetition_penalty/],
      [{ watermarking_config: { bias: 2 } }, /watermarking_config/]
    ]
    for (const [fields, message] of cases) {
      assert.throws(() => generationDefaults(fields as Record<string, unknown>), { code: 'UNSUPPORTED', message })
    }
    await using model = await open(context, { ...rows[0]!.fields, penalty_alpha: 0.6 })
    await assert.rejects(model.generate([rows[0]!.ids]), { code: 'UNSUPPORTED', message: /penalty_alpha = 0.6/ })
    assert.deepEqual(
      await model.generate([rows[0]!.ids], { useGenerationConfig: false, maxNewTokens: 12 }),
      rows[0]!.sequences
    )
  })

  it('with values that do nothing is taken, with values that are none refused', () => {
    const idle = { guidance_scale: 1, num_beam_groups: 1, diversity_penalty: 0, top_h: null, token_healing: false }
    assert.deepEqual(generationDefaults({ ...idle, use_cache: true, transformers_version: '5' }).options, {})
    assert.throws(() => generationDefaults({ top_k: 'many' }), {
      code: 'BAD_CHECKPOINT',
      message: /top_k: found "many"/
    })
    assert.throws(() => withDefaults({}, { max_length: 4 }, 4), { code: 'INVALID_ARGUMENT', message: /max_length 4/ })
    assert.throws(() => withDefaults(3 as never, {}, 4), { code: 'INVALID_ARGUMENT', message: /found a number/ })
    assert.deepEqual(withDefaults({ doSample: true }, { temperature: 0.5, do_sample: false }, 4), {
      doSample: true,
      temperature: 0.5
    })
  })
})
