// A span of blocks over a KV cache: prefill and decode steps. Fused attention where ONNX Runtime takes it, else operators.
import { SwarmError } from '../../common/errors.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { type ModelConfig, stackOf } from '../config/config.ts'
import type { DecodeOptions } from '../family.ts'
import { type AttentionKind, biasKey, positionBias } from '../layers/attention.ts'
import { type CacheStep, cachedAttention, cachedIndices, cacheStep, tokenIndices } from '../layers/cached-attention.ts'
import { declarePorts, parsePort } from '../layers/ports.ts'
import { relativeBias } from '../layers/relative-bias.ts'
import { rotaryInputs, rotate } from '../layers/rotary.ts'
import { attendEncoder, type CrossStates, portSites, throughBlocks } from './blocks.ts'
import type { Attend, FamilyDescription } from './description.ts'

/** ONNX Runtime 1.30 on CPU: "head_size must be a multiple of 8", */
const fusedHeadMultiple = 8
/** and of 16 where it rotates itself. */
const rotatedHeadMultiple = 16

interface Cache {
  readonly key: Value
  readonly value: Value
}

/** Ports that become inputs: prefixes are written into the cache instead. Throws UNSUPPORTED where both move positions. */
function inputPorts(names: readonly string[]): readonly string[] {
  const kinds = new Set(names.map(name => parsePort(name).kind))
  if (kinds.has('prefix') && kinds.has('prompt')) {
    throw new SwarmError('UNSUPPORTED', 'prompt and prefix ports cannot be combined in one session')
  }
  return names.filter(name => parsePort(name).kind !== 'prefix')
}

/** Values that blocks share which attend alike, made when they are first needed. */
function shared<T>(make: (kind: AttentionKind) => T): (kind: AttentionKind) => T {
  const known = new Map<string, T>()
  return kind => {
    const key = biasKey(kind)
    const value = known.get(key) ?? make(kind)
    known.set(key, value)
    return value
  }
}

/**
 * Inputs: `hidden` [batch, seq, hidden]; `seqlens_k` int32 [batch], a row's length with this step's tokens minus 1;
 * `total_sequence_length` int32 scalar, the longest of these lengths; the family's tables of angles;
 * `past.<i>.key|value` [batch, kvHeads, capacity, headDim]; ports of every kind but prefixes, which lie in the cache. Blocks that
 * cross-attend take in `cross.<i>.key|value` [inputs, kvHeads, source, headDim] and `encoder_mask` int64 [inputs, source] too: rows
 * i * batch / inputs and the next ones attend to input i.
 * Outputs: `hidden_out` [batch, seq, hidden], `present.<i>.key|value` as past; both may be one buffer.
 * An empty cache is filled by a step with total_sequence_length = seq, rows padded on the right. Further steps add seq tokens to
 * every row; in the fused graph with seq > 1 only for a batch of 1 (a limit of ONNX Runtime), with `fused: false` for any.
 */
export function decodeSpan<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  options: DecodeOptions
): Graph {
  const { blocks } = options
  const { numHeads, numKeyValueHeads, headDim } = config
  const fused = (options.fused ?? true) && headDim % fusedHeadMultiple === 0
  const g = new GraphBuilder(`decode.${blocks.first}-${blocks.end}${fused ? '' : '.plain'}`)
  const hidden = g.input('hidden', 'float32', ['batch', 'seq', config.hiddenSize])
  const seqlensK = g.input('seqlens_k', 'int32', ['batch'])
  const totalSequenceLength = g.input('total_sequence_length', 'int32', [])
  const tablesOf = rotaryInputs(g)
  const cacheShape = ['batch', numKeyValueHeads, 'capacity', headDim]
  const pasts = new Map<number, Cache>()
  for (let block = blocks.first; block < blocks.end; block++) {
    const { rotary } = description.attention(config, block)
    if (rotary !== undefined) tablesOf(rotary)
    const key = g.input(`past.${block}.key`, 'float32', cacheShape)
    pasts.set(block, { key, value: g.input(`past.${block}.value`, 'float32', cacheShape) })
  }
  const encoderMask = stackOf(config, blocks.first).crosses
    ? g.input('encoder_mask', 'int64', ['inputs', 'source'])
    : null
  const crossed = new Map<number, CrossStates>()
  for (let block = blocks.first; encoderMask !== null && block < blocks.end; block++) {
    const [key, value] = ['key', 'value'].map(part =>
      g.input(`cross.${block}.${part}`, 'float32', ['inputs', numKeyValueHeads, 'source', headDim])
    )
    crossed.set(block, { key: key!, value: value!, mask: encoderMask })
  }
  const ports = inputPorts(options.ports)
  const portsOf = declarePorts(g, config, portSites(description, config), { blocks, ports, gains: true })

  const lengths = { seqlensK, totalSequenceLength }
  const presents = new Map<number, Cache>()
  const fusedBias = shared(({ alibi, relative }) => {
    if (relative !== undefined) {
      const rows = g.Unsqueeze(tokenIndices(g, lengths), [2])
      const bias = relativeBias(g, relative, { heads: numHeads }, g.Sub(cachedIndices(g, lengths), rows))
      return g.Transpose(bias, { perm: [1, 0, 2, 3] })
    }
    if (alibi === undefined) return undefined
    return g.Expand(positionBias(g, alibi, cachedIndices(g, lengths)), [1, numHeads, 'seq', 'total'])
  })
  const stepOf = shared((kind): CacheStep => cacheStep(g, lengths, config, kind))

  const attendFused = (block: number, kind: AttentionKind): Attend => {
    const { rotary, scale, softcap, window } = kind
    const doRotary = rotary?.dims === headDim && headDim % rotatedHeadMultiple === 0
    return given => {
      const outside = rotary !== undefined && !doRotary
      const projections = outside ? rotate(g, given, tablesOf(rotary), rotary, tokenIndices(g, lengths), config) : given
      const { key: pastKey, value: pastValue } = pasts.get(block)!
      const tables = doRotary ? tablesOf(rotary!) : {}
      const { output, presentKey, presentValue } = g.GroupQueryAttention(
        {
          ...projections,
          pastKey,
          pastValue,
          seqlensK,
          totalSequenceLength,
          ...tables,
          attentionBias: fusedBias(kind)
        },
        { numHeads, kvNumHeads: numKeyValueHeads, doRotary, scale, softcap, localWindowSize: window }
      )
      presents.set(block, { key: presentKey, value: presentValue })
      return output
    }
  }
  const attendPlain = (block: number, kind: AttentionKind): Attend => {
    const { rotary } = kind
    return given => {
      const projections = rotary ? rotate(g, given, tablesOf(rotary), rotary, tokenIndices(g, lengths), config) : given
      const inputs = { ...projections, past: pasts.get(block)! }
      const { output, present } = cachedAttention(g, inputs, stepOf(kind), config, kind)
      presents.set(block, present)
      return output
    }
  }
  const out = throughBlocks(g, description, config, options, hidden, {
    portsOf,
    packed: true,
    attend: block => (fused ? attendFused : attendPlain)(block, description.attention(config, block)),
    cross: block => query => attendEncoder(g, query, crossed.get(block)!, config, description.attention(config, block)),
    tokenIndices: () => tokenIndices(g, lengths)
  })
  g.output('hidden_out', out)
  for (const [block, { key, value }] of presents) {
    g.output(`present.${block}.key`, key)
    g.output(`present.${block}.value`, value)
  }
  return g.build()
}
