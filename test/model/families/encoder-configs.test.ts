// config.json of published encoders, and options that no graph does. Rows of distances: scripts/reference/deberta.py.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RawConfig } from '../../../model/config/config.ts'
import { familyOf } from '../../../model/families/families.ts'
import { distanceRows } from '../../../model/layers/disentangled.ts'
import { readReference } from '../../../testing/references.ts'

const published: Readonly<Record<string, RawConfig>> = {
  'FacebookAI/roberta-base': {
    model_type: 'roberta',
    bos_token_id: 0,
    eos_token_id: 2,
    hidden_act: 'gelu',
    hidden_size: 768,
    intermediate_size: 3072,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 514,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    pad_token_id: 1,
    type_vocab_size: 1,
    vocab_size: 50265
  },
  'google/electra-small-discriminator': {
    model_type: 'electra',
    embedding_size: 128,
    hidden_act: 'gelu',
    hidden_size: 256,
    intermediate_size: 1024,
    layer_norm_eps: 1e-12,
    max_position_embeddings: 512,
    num_attention_heads: 4,
    num_hidden_layers: 12,
    pad_token_id: 0,
    position_embedding_type: 'absolute',
    type_vocab_size: 2,
    vocab_size: 30522
  },
  'distilbert/distilbert-base-uncased': {
    model_type: 'distilbert',
    activation: 'gelu',
    dim: 768,
    hidden_dim: 3072,
    max_position_embeddings: 512,
    n_heads: 12,
    n_layers: 6,
    pad_token_id: 0,
    sinusoidal_pos_embds: false,
    vocab_size: 30522
  },
  'microsoft/deberta-v3-base': {
    model_type: 'deberta-v2',
    hidden_act: 'gelu',
    hidden_size: 768,
    intermediate_size: 3072,
    layer_norm_eps: 1e-7,
    max_position_embeddings: 512,
    max_relative_positions: -1,
    norm_rel_ebd: 'layer_norm',
    num_attention_heads: 12,
    num_hidden_layers: 12,
    pad_token_id: 0,
    pos_att_type: 'p2c|c2p',
    position_biased_input: false,
    position_buckets: 256,
    relative_attention: true,
    share_att_key: true,
    type_vocab_size: 0,
    vocab_size: 128100
  },
  'answerdotai/ModernBERT-base': {
    model_type: 'modernbert',
    classifier_pooling: 'mean',
    global_attn_every_n_layers: 3,
    global_rope_theta: 160000.0,
    hidden_activation: 'gelu',
    hidden_size: 768,
    intermediate_size: 1152,
    local_attention: 128,
    local_rope_theta: 10000.0,
    max_position_embeddings: 8192,
    norm_bias: false,
    norm_eps: 1e-5,
    num_attention_heads: 12,
    num_hidden_layers: 22,
    pad_token_id: 50283,
    position_embedding_type: 'absolute',
    vocab_size: 50368
  },
  'sentence-transformers/all-mpnet-base-v2': {
    model_type: 'mpnet',
    hidden_act: 'gelu',
    hidden_size: 768,
    intermediate_size: 3072,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 514,
    num_attention_heads: 12,
    num_hidden_layers: 12,
    pad_token_id: 1,
    relative_attention_num_buckets: 32,
    vocab_size: 30527
  }
}

const parse = (raw: RawConfig) => familyOf(raw).parseConfig(raw)
const shapeOf = (raw: RawConfig, name: string) => {
  const family = familyOf(raw)
  const config = parse(raw)
  return [...family.clientTensors(config), ...family.blockTensors(config, 1)].find(tensor => tensor.name === name)
    ?.shape
}

describe('a config.json of an encoder', () => {
  test('of published models', () => {
    for (const [name, raw] of Object.entries(published)) {
      const { numBlocks, stacks, headDim, hiddenSize } = parse(raw)
      assert.deepEqual(stacks, [{ name: 'encoder', blocks: { first: 0, end: numBlocks } }], name)
      assert.equal(headDim, 64)
      assert.equal(hiddenSize, name.includes('small') ? 256 : 768)
    }
  })

  test('leaves the rows of the position matrix up to that of padding to padding', () => {
    for (const name of ['FacebookAI/roberta-base', 'sentence-transformers/all-mpnet-base-v2']) {
      const raw = published[name]!
      assert.equal(parse(raw).maxPositions, 512)
      assert.deepEqual(shapeOf(raw, `${raw.model_type}.embeddings.position_embeddings.weight`), [514, 768])
    }
    assert.throws(() => parse({ ...published['FacebookAI/roberta-base'], pad_token_id: 600 }), {
      code: 'BAD_CHECKPOINT',
      message: 'config.json: pad_token_id: expected 0 to 512, the rows of the position matrix, found 600'
    })
  })

  test("of DeBERTa v3 has a table of distances that all blocks share, and no row for a token's place or type", () => {
    const raw = published['microsoft/deberta-v3-base']!
    assert.deepEqual(shapeOf(raw, 'deberta.encoder.rel_embeddings.weight'), [512, 768])
    assert.deepEqual(shapeOf(raw, 'deberta.encoder.LayerNorm.bias'), [768])
    assert.equal(shapeOf(raw, 'deberta.embeddings.position_embeddings.weight'), undefined)
    assert.equal(familyOf(raw).tokenTypes(parse(raw)), 0)
    // rows are looked up: quantizing, which is for modules, would leave none to look up
    const [family, config] = [familyOf(raw), parse(raw)]
    const modules = family
      .portModules(config, 1)
      .map(({ name }) => `${family.moduleWeightName(config, 1, name)}.weight`)
    const tables = family
      .blockTensors(config, 1)
      .filter(({ name, shape }) => shape.length === 2 && !modules.includes(name))
    assert.deepEqual(
      tables.map(({ name }) => name),
      ['deberta.encoder.rel_embeddings.weight']
    )
  })

  test('of ModernBERT has local blocks with their own angles between global ones', () => {
    const raw = published['answerdotai/ModernBERT-base']!
    const tables = familyOf(raw).rotaryTables(parse(raw), 3)
    assert.deepEqual(Object.keys(tables).sort(), ['cos', 'cos.local', 'sin', 'sin.local'])
    assert.ok(Math.abs(tables['cos.local']!.data[33]! - Math.cos(10000 ** (-2 / 64))) < 1e-6)
    assert.ok(Math.abs(tables.cos!.data[33]! - Math.cos(160000 ** (-2 / 64))) < 1e-6)
    const { windows } = parse(raw).traits as { windows: (number | null)[] }
    assert.deepEqual(windows.slice(0, 5), [null, 64, 64, null, 64])
  })

  test('that asks for what no graph does is refused by the name of the field', () => {
    const deberta = published['microsoft/deberta-v3-base']!
    for (const [raw, code, message] of [
      [{ ...deberta, conv_kernel_size: 3 }, 'UNSUPPORTED', /conv_kernel_size 3 is not supported/],
      [{ ...deberta, attention_head_size: 32 }, 'UNSUPPORTED', /attention_head_size 32 is not supported/],
      [{ ...deberta, position_buckets: 1100 }, 'BAD_CHECKPOINT', /position_buckets: expected 4 to 1020, found 1100/],
      [{ ...deberta, pos_att_type: 3 }, 'BAD_CHECKPOINT', /pos_att_type: expected c2p and p2c, found 3/],
      [
        { ...published['sentence-transformers/all-mpnet-base-v2']!, relative_attention_num_buckets: 16 },
        'BAD_CHECKPOINT',
        /relative_attention_num_buckets: expected at least 32, found 16/
      ],
      [
        { ...published['answerdotai/ModernBERT-base']!, classifier_pooling: 'max' },
        'BAD_CHECKPOINT',
        /classifier_pooling: expected cls or mean, found "max"/
      ],
      [{ ...published['FacebookAI/roberta-base']!, is_decoder: true }, 'UNSUPPORTED', /is_decoder true/],
      [
        { ...published['distilbert/distilbert-base-uncased']!, activation: 'cubic' },
        'UNSUPPORTED',
        /'cubic' is not supported/
      ]
    ] as const) {
      assert.throws(() => parse(raw), { code, message })
    }
  })
})

test('distances of DeBERTa have the rows of transformers', () => {
  const cases =
    readReference<{ buckets: number; most: number; positions: number; rows: number[] }[]>('deberta-distances.json')
  for (const { buckets, most, positions, rows } of cases) {
    const ranges = { span: buckets > 0 ? buckets : most, buckets: buckets > 0 ? buckets : null, maxDistance: most }
    assert.deepEqual(distanceRows(ranges, positions), rows)
  }
})
