// A span of blocks over a KV cache: prefill and decode steps. Fused attention where ONNX Runtime takes it, else operators.
import { SwarmError } from '../../common/errors.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config.ts'
import type { DecodeOptions } from '../family.ts'
import { type CacheStep, cachedAttention, cacheStep, tokenIndices } from '../layers/cached-attention.ts'
import { promptSelector } from '../layers/sequence.ts'
import { type BlockPorts, declarePorts, parsePort } from '../ports.ts'
import { type Attend, llamaBlock } from './block.ts'
import { linearModules } from './tensors.ts'

/** ONNX Runtime 1.30 on CPU: "head_size shall be a multiple of 16" with rotary embedding. */
const fusedHeadMultiple = 16

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

/**
 * Inputs: `hidden` [batch, seq, hidden]; `seqlens_k` int32 [batch], a row's length with this step's tokens minus 1;
 * `total_sequence_length` int32 scalar, the longest of these lengths; `cos`, `sin` [positions, headDim / 2];
 * `past.<i>.key|value` [batch, kvHeads, capacity, headDim]; LoRA and prompt ports.
 * Outputs: `hidden_out` [batch, seq, hidden], `present.<i>.key|value` as past; both may be one buffer.
 * An empty cache is filled by a step with total_sequence_length = seq, rows padded on the right. Further steps add seq tokens to
 * every row; in the fused graph with seq > 1 only for a batch of 1 (a limit of ONNX Runtime), with `fused: false` for any.
 */
export function decodeSpan(config: ModelConfig, options: DecodeOptions): Graph {
  const { blocks } = options
  const { numHeads, numKeyValueHeads, headDim } = config
  const fused = (options.fused ?? true) && headDim % fusedHeadMultiple === 0
  const g = new GraphBuilder(`decode.${blocks.first}-${blocks.end}${fused ? '' : '.plain'}`)
  const hidden = g.input('hidden', 'float32', ['batch', 'seq', config.hiddenSize])
  const seqlensK = g.input('seqlens_k', 'int32', ['batch'])
  const totalSequenceLength = g.input('total_sequence_length', 'int32', [])
  const cos = g.input('cos', 'float32', ['positions', headDim / 2])
  const sin = g.input('sin', 'float32', ['positions', headDim / 2])
  const cacheShape = ['batch', numKeyValueHeads, 'capacity', headDim]
  const pasts = new Map<number, Cache>()
  for (let block = blocks.first; block < blocks.end; block++) {
    const key = g.input(`past.${block}.key`, 'float32', cacheShape)
    pasts.set(block, { key, value: g.input(`past.${block}.value`, 'float32', cacheShape) })
  }
  const ports = inputPorts(options.ports)
  const portsOf = declarePorts(g, config, linearModules(config), { blocks, ports })

  const lengths = { seqlensK, totalSequenceLength }
  let step: CacheStep | undefined
  let selector: Value | undefined
  const presents = new Map<number, Cache>()

  const attendFused =
    (block: number): Attend =>
    ({ query, key, value }) => {
      const { key: pastKey, value: pastValue } = pasts.get(block)!
      const { output, presentKey, presentValue } = g.GroupQueryAttention(
        { query, key, value, pastKey, pastValue, seqlensK, totalSequenceLength, cos, sin },
        { numHeads, kvNumHeads: numKeyValueHeads, doRotary: true }
      )
      presents.set(block, { key: presentKey, value: presentValue })
      return output
    }
  const attendPlain =
    (block: number): Attend =>
    projections => {
      step ??= cacheStep(g, lengths, config)
      const past = pasts.get(block)!
      const { output, present } = cachedAttention(g, { ...projections, past, cos, sin }, step, config)
      presents.set(block, present)
      return output
    }
  const prompted = (x: Value, { prompt }: BlockPorts): Value => {
    if (prompt === undefined) return x
    selector ??= promptSelector(g, tokenIndices(g, lengths))
    return g.Add(x, g.MatMul(selector, prompt))
  }

  let x = hidden
  for (let block = blocks.first; block < blocks.end; block++) {
    const attend = fused ? attendFused(block) : attendPlain(block)
    x = g.scoped(`block.${block}`, () =>
      llamaBlock(g, config, block, prompted(x, portsOf(block)), portsOf(block), attend)
    )
  }
  g.output('hidden_out', x)
  for (const [block, { key, value }] of presents) {
    g.output(`present.${block}.key`, key)
    g.output(`present.${block}.value`, value)
  }
  return g.build()
}
