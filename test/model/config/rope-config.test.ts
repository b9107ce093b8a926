// Rotary angles of every spelling of config.json against those that transformers computes (scripts/reference/rope_configs.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import type { Tensor } from '../../../common/tensor.ts'
import type { ModelConfig, RawConfig } from '../../../model/config/config.ts'
import { familyOf } from '../../../model/families/families.ts'
import type { PositionTables } from '../../../model/family.ts'
import { referencePath } from '../support.ts'

interface Table {
  readonly cos: readonly (readonly number[])[]
  readonly sin: readonly (readonly number[])[]
}

interface Reference {
  readonly positions: readonly number[]
  /** of the sequences whose angles are `long`, which are those of `short` where they are not there */
  readonly length: number
  readonly cases: readonly {
    readonly config: RawConfig
    readonly tables: { readonly short: readonly Table[]; readonly long?: readonly Table[] } | null
  }[]
}

const reference: Reference = JSON.parse(await readFile(referencePath('rope-configs.json'), 'utf8'))

function parse(raw: RawConfig): ModelConfig {
  return familyOf(raw).parseConfig(raw)
}

/** Largest difference to the rows of some positions. */
function difference(found: Tensor, wanted: readonly (readonly number[])[]): number {
  const width = found.shape[1]!
  assert.equal(width, wanted[0]!.length)
  const rows = wanted.map((row, index) => {
    const at = reference.positions[index]! * width
    return Math.max(...row.map((value, pair) => Math.abs(value - Number(found.data[at + pair]))))
  })
  return Math.max(...rows)
}

function assertTables(tables: PositionTables, wanted: readonly Table[], what: string): void {
  for (const [index, end] of ['', '.local'].slice(0, wanted.length).entries()) {
    for (const part of ['cos', 'sin'] as const) {
      const worst = difference(tables[part + end]!, wanted[index]![part])
      assert.ok(worst < 1e-5, `${what} ${part}${end}: ${worst}`)
    }
  }
}

/** What a case is about, for messages. */
const about = (raw: RawConfig): string =>
  JSON.stringify(Object.fromEntries(Object.entries(raw).filter(([key]) => /model_type|rop|rot|position/.test(key))))

/** Configurations that transformers takes in a way that nobody can have meant. */
function isAmbiguous({ model_type: type, rope_parameters: two, rope_scaling: scaling }: RawConfig): boolean {
  const { full_attention: full, sliding_attention: local } = (two ?? {}) as Record<string, RawConfig>
  const written = scaling as RawConfig | undefined
  const sameType = (full?.type ?? full?.rope_type) === (written?.type ?? written?.rope_type)
  const mixed = written != null && (two == null ? written.type !== undefined : !sameType)
  const kind = local?.rope_type ?? local?.type
  const truncated = [full, local, written].every(fields => fields?.truncate !== false)
  return type === 'gemma3_text' && (mixed || kind === 'dynamic' || kind === 'longrope' || !truncated)
}

describe('rotary angles', () => {
  test('are those of transformers for every kind and spelling of every family', () => {
    const counts = { same: 0, refused: 0, failed: 0 }
    for (const { config: raw, tables } of reference.cases) {
      let config: ModelConfig
      try {
        config = parse(raw)
      } catch (error) {
        assert.ok(error instanceof SwarmError, `${about(raw)}: ${error}`)
        assert.ok(tables === null || isAmbiguous(raw), `${about(raw)}: ${error.message}`)
        counts[tables === null ? 'failed' : 'refused']++
        continue
      }
      assert.notEqual(tables, null, `transformers fails for ${about(raw)}`)
      const family = familyOf(raw)
      const last = reference.positions.at(-1)! + 1
      assertTables(family.rotaryTables(config, last, last), tables!.short, about(raw))
      assertTables(
        family.rotaryTables(config, last, reference.length),
        tables!.long ?? tables!.short,
        `long: ${about(raw)}`
      )
      counts.same++
    }
    assert.deepEqual(counts, { same: 76, refused: 3, failed: 1 })
  })

  const llama = {
    model_type: 'llama',
    hidden_size: 64,
    num_attention_heads: 4,
    num_hidden_layers: 2,
    intermediate_size: 128,
    vocab_size: 100,
    max_position_embeddings: 1000
  }

  test('are those of rope_scaling alone where rope_parameters is there too', () => {
    const rope_parameters = { rope_type: 'default', rope_theta: 1e6 }
    const rope_scaling = { type: 'yarn', factor: 4, original_max_position_embeddings: 500 }
    const { rope } = parse({ ...llama, rope_parameters, rope_scaling })
    assert.equal(rope?.type, 'yarn')
    assert.equal(rope?.theta, 10_000, 'the base of the other object is not its own')
    assert.equal(parse({ ...llama, rope_parameters, rope_scaling: {} }).rope?.theta, 1e6)
  })

  test('reach as far as the scaling extends the positions', () => {
    const positions = (rope_scaling: RawConfig, fields: RawConfig = {}) =>
      parse({ ...llama, rope_scaling, ...fields }).maxPositions
    assert.equal(positions({ rope_type: 'linear', factor: 2.5 }), 2500)
    assert.equal(positions({ rope_type: 'linear', factor: 0.5 }), 1000)
    assert.equal(positions({ rope_type: 'yarn', factor: 4 }), 4000)
    assert.equal(positions({ rope_type: 'yarn', factor: 4, original_max_position_embeddings: 250 }), 1000)
    assert.equal(positions({ rope_type: 'yarn', factor: 4 }, { original_max_position_embeddings: 900 }), 3600)
    const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 }
    assert.equal(positions({ ...llama3, original_max_position_embeddings: 500 }), 1000)
    const factors = Array<number>(8).fill(2)
    const longrope = { rope_type: 'longrope', short_factor: factors, long_factor: factors }
    assert.equal(positions({ ...longrope, original_max_position_embeddings: 500 }), 1000)
    const gemma3 = { ...llama, model_type: 'gemma3_text', num_key_value_heads: 2, head_dim: 16 }
    assert.equal(parse({ ...gemma3, rope_scaling: { rope_type: 'linear', factor: 8 } }).maxPositions, 1000)
  })

  test('are refused where a field could change them in a way that is not known', () => {
    const refused = (fields: RawConfig, code: string, message: RegExp) =>
      assert.throws(() => parse({ ...llama, ...fields }), { code, message })
    refused({ rope_scaling: { rope_type: 'linear', factor: 2, alpha: 8 } }, 'UNSUPPORTED', /field 'alpha' is unknown/)
    refused({ rope_parameters: { full_attention: {} } }, 'UNSUPPORTED', /field 'full_attention' is unknown/)
    refused({ rope_scaling: { rope_type: 'yarn', type: 'linear', factor: 2 } }, 'UNSUPPORTED', /contradict each other/)
    refused({ rope_scaling: { type: 'su', factor: 2 } }, 'UNSUPPORTED', /rope type 'su' is not supported/)
    refused({ partial_rotary_factor: 0.5 }, 'UNSUPPORTED', /partial_rotary_factor 0.5 is not supported/)
    const longrope = { rope_type: 'longrope', short_factor: [1, 2], long_factor: [1, 2] }
    refused({ rope_scaling: longrope }, 'BAD_CHECKPOINT', /short_factor: expected 8 factors, .* found 2/)
    const flat = {
      model_type: 'gemma3_text',
      num_key_value_heads: 2,
      rope_parameters: { rope_type: 'linear', factor: 2 }
    }
    refused(flat, 'BAD_CHECKPOINT', /expected full_attention and sliding_attention, found 'rope_type'/)
    // said of a model, no number of it
    parse({ ...llama, rope_scaling: { type: 'yarn', factor: 2, finetuned: true, alpha: null } })
  })
})
