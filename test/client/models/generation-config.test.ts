// The fields of a model's generation_config.json in generations that say nothing else, beside transformers' generate
// (scripts/reference/generation_config.py).
import assert from 'node:assert/strict'
import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { generationDefaults, knownFields, withGenerationDefaults } from '../../../client/generate/defaults.ts'
import { AutoDistributedModelForCausalLM } from '../../../client/index.ts'
import { type Logger, silent } from '../../../common/logger.ts'
import { collectAll, readReference, referencePath, temporaryFolder } from '../../../testing/references.ts'
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
  async function open(context: TestContext, fields: object, logger?: Logger) {
    const folder = await temporaryFolder(context)
    for (const name of await readdir(path)) {
      if (name !== 'generation_config.json') await symlink(join(path, name), join(folder, name))
    }
    await writeFile(join(folder, 'generation_config.json'), JSON.stringify(fields))
    const options = { initialPeers: swarm.join, codec: 'fp32', logger } as const
    return await AutoDistributedModelForCausalLM.fromPretrained(folder, options)
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
    const streamed = await collectAll(model.generateStream([plain.ids]))
    assert.deepEqual([plain.ids.concat(streamed.map(({ token }) => token!))], repeats.sequences)
  })

  it('with what is not done here is refused by name', async context => {
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ guidance_scale: 1.5 }, /guidance_scale = 1.5 is not supported and would change the generated text/],
      [{ sequence_bias: [[[5], -1]] }, /sequence_bias/],
      [{ encoder_repetition_penalty: 1.2 }, /encoder_repetition_penalty/],
      [{ watermarking_config: { bias: 2 } }, /watermarking_config/]
    ]
    for (const [fields, message] of cases) {
      assert.throws(() => generationDefaults(fields as Record<string, unknown>), { code: 'UNSUPPORTED', message })
    }
    const warnings: string[] = []
    const logger = { ...silent, warn: (_: object, message: string) => void warnings.push(message) }
    await using model = await open(context, { ...rows[0]!.fields, penalty_alpha: 0.6 }, logger)
    assert.match(
      warnings.join(),
      /^generate\(\) will fail: generation_config.json: penalty_alpha = 0.6 is not supported/
    )
    await assert.rejects(model.generate([rows[0]!.ids]), { code: 'UNSUPPORTED', message: /penalty_alpha = 0.6/ })
    assert.deepEqual(
      await model.generate([rows[0]!.ids], { useGenerationConfig: false, maxNewTokens: 12 }),
      rows[0]!.sequences
    )
  })

  it('with fields that nobody knows is refused where they are active', () => {
    for (const value of [null, false, '', [], {}])
      assert.deepEqual(generationDefaults({ new_field: value }).options, {})
    assert.throws(() => generationDefaults({ top_n_sigma: 1 }), {
      code: 'UNSUPPORTED',
      message:
        /^generation_config.json: top_n_sigma = 1: unknown field, and it may change .*useGenerationConfig: false leaves the file out/
    })
    assert.throws(() => generationDefaults({ repetition_penalti: 1.2 }), {
      message: /did you mean repetition_penalty\?/
    })
    assert.throws(() => generationDefaults(JSON.parse('{"__proto__": 1}')), { code: 'UNSUPPORTED' })
    assert.deepEqual(generationDefaults({ chat_format: 'chatml', max_window_size: 6144 }).options, {})
  })

  it('has no field of transformers that nothing is known of', () => {
    const fields = readReference<string[]>('generation-fields.json')
    assert.deepEqual(
      fields.filter(field => !knownFields.includes(field)),
      []
    )
  })

  it('with values that do nothing is taken, with values that are none refused', () => {
    const idle = { guidance_scale: 1, num_beam_groups: 1, diversity_penalty: 0, top_h: null, token_healing: false }
    assert.deepEqual(generationDefaults({ ...idle, use_cache: true, transformers_version: '5' }).options, {})
    const wrong: readonly (readonly [field: string, value: unknown, expected: string])[] = [
      ['top_k', 'many', 'a number'],
      ['max_length', '16', 'a whole number of at least 1'],
      ['max_new_tokens', 0, 'a whole number of at least 1'],
      ['repetition_penalty', -1, 'a number above 0'],
      ['renormalize_logits', 'yes', 'true or false'],
      ['suppress_tokens', [1.5], 'a list of tokens'],
      ['num_beams', 2.5, 'a whole number of at least 1']
    ]
    for (const [field, value, expected] of wrong) {
      const message = `generation_config.json: ${field}: expected ${expected}, found ${JSON.stringify(value)}`
      assert.throws(() => generationDefaults({ [field]: value }), { code: 'BAD_CHECKPOINT', message })
    }
    // out of range only where it counts
    const message = 'generation_config.json: top_p: expected a number from 0 to 1, found 5'
    assert.throws(() => withGenerationDefaults({ doSample: true }, { top_p: 5 }, 4), {
      code: 'BAD_CHECKPOINT',
      message
    })
    assert.deepEqual(withGenerationDefaults({}, { top_p: 5, temperature: 0, top_h: 0.4 }, 4), {})
    assert.deepEqual(withGenerationDefaults({ doSample: true, topP: 0.5 }, { top_p: 5 }, 4), {
      doSample: true,
      topP: 0.5
    })
    assert.throws(() => withGenerationDefaults({ doSample: true }, { top_h: 0.4 }, 4), {
      code: 'UNSUPPORTED',
      message: /top_h/
    })
    const empty = { forced_decoder_ids: [], sequence_bias: {}, dola_layers: null, watermarking_config: {} }
    assert.deepEqual(generationDefaults(empty).options, {})
    assert.throws(() => withGenerationDefaults({}, { max_length: 4 }, 4), {
      code: 'INVALID_ARGUMENT',
      message: /max_length 4/
    })
    assert.throws(() => withGenerationDefaults(3 as never, {}, 4), {
      code: 'INVALID_ARGUMENT',
      message: /found a number/
    })
    assert.deepEqual(withGenerationDefaults({ doSample: true }, { temperature: 0.5, do_sample: false }, 4), {
      doSample: true,
      temperature: 0.5
    })
  })
})
