// A span of blocks over whole sequences, in operators that have gradients: for training and for stateless forward requests.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config.ts'
import type { SpanOptions } from '../family.ts'
import { groupedAttention, splitHeads } from '../layers/attention.ts'
import { causalBias, indices, maskedPositions, promptSelector, sizeOfAxis } from '../layers/sequence.ts'
import { type BlockPorts, declarePorts, type PrefixPort } from '../ports.ts'
import { llamaBlock } from './block.ts'
import { linearModules } from './tensors.ts'

/** What the prefixes of all blocks need: they are seen by every token and lie before the first. */
interface PrefixContext {
  /** [batch, 1, rows, prefix+seq] */
  readonly bias: Value
  /** [prefix, kvHeads, headDim] -> [batch, kvHeads, prefix, headDim] */
  readonly spread: (x: Value) => Value
}

function prefixContext(g: GraphBuilder, config: ModelConfig, bias: Value, hidden: Value, prefix: Value): PrefixContext {
  const { numKeyValueHeads, headDim } = config
  const one = g.constant([1], 'int64')
  const batch = g.dimensions(hidden, [0])
  const length = g.dimensions(prefix, [0])
  const rows = g.dimensions(bias, [2])
  const zeros = g.Expand(
    g.constant(0),
    ['batch', 1, bias.shape[2]!, 'prefix'],
    g.Concat([batch, one, rows, length], { axis: 0 })
  )
  const sizes = g.Concat([batch, g.constant([numKeyValueHeads], 'int64'), length, g.constant([headDim], 'int64')], {
    axis: 0
  })
  return {
    bias: g.Concat([zeros, bias], { axis: 3, dim: 'prefix+seq' }),
    spread: x =>
      g.Expand(
        g.Unsqueeze(g.Transpose(x, { perm: [1, 0, 2] }), [0]),
        ['batch', numKeyValueHeads, 'prefix', headDim],
        sizes
      )
  }
}

/**
 * Inputs: `hidden` [batch, seq, hidden], `mask` int64 [batch, seq] (1 token, 0 padding on either side), `cos` and `sin`
 * [positions, headDim / 2] with at least seq positions, and the ports. Output: `hidden_out` [batch, seq, hidden].
 * Throws INVALID_ARGUMENT for ports that are not of this span.
 */
export function forwardSpan(config: ModelConfig, options: SpanOptions): Graph {
  const { blocks } = options
  const { numHeads, numKeyValueHeads, headDim } = config
  const g = new GraphBuilder(`forward.${blocks.first}-${blocks.end}`)
  const hidden = g.input('hidden', 'float32', ['batch', 'seq', config.hiddenSize])
  const mask = g.input('mask', 'int64', ['batch', 'seq'])
  const cos = g.input('cos', 'float32', ['positions', headDim / 2])
  const sin = g.input('sin', 'float32', ['positions', headDim / 2])
  const portsOf = declarePorts(g, config, linearModules(config), options)

  const seq = sizeOfAxis(g, hidden, 1)
  const positions = maskedPositions(g, mask)
  const bias = causalBias(g, mask, seq, numHeads / numKeyValueHeads)
  let prefixes: PrefixContext | undefined
  let selector: Value | undefined

  const withPrefix = (x: Value, prefix: Value | undefined): Value =>
    prefix === undefined ? x : g.Concat([prefixes!.spread(prefix), x], { axis: 2, dim: 'prefix+seq' })
  const attendTo = (prefix: PrefixPort | undefined) => (projections: { query: Value; key: Value; value: Value }) => {
    const rotate = (x: Value, heads: number) => g.RotaryEmbedding(x, positions, cos, sin, { numHeads: heads })
    if (prefix !== undefined) prefixes ??= prefixContext(g, config, bias, hidden, prefix.key)
    const key = splitHeads(g, rotate(projections.key, numKeyValueHeads), numKeyValueHeads, headDim)
    const value = splitHeads(g, projections.value, numKeyValueHeads, headDim)
    return groupedAttention(
      g,
      {
        query: rotate(projections.query, numHeads),
        key: withPrefix(key, prefix?.key),
        value: withPrefix(value, prefix?.value),
        bias: prefix === undefined ? bias : prefixes!.bias
      },
      config
    )
  }
  const prompted = (x: Value, { prompt }: BlockPorts): Value => {
    if (prompt === undefined) return x
    selector ??= promptSelector(g, indices(g, seq, 'seq'), prompt)
    return g.Add(x, g.MatMul(selector, prompt))
  }

  let x = hidden
  for (let block = blocks.first; block < blocks.end; block++) {
    const ports = portsOf(block)
    x = g.scoped(`block.${block}`, () =>
      llamaBlock(g, config, block, prompted(x, ports), ports, attendTo(ports.prefix))
    )
  }
  g.output('hidden_out', x)
  return g.build()
}
