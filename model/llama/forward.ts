// A span of blocks over whole sequences, in operators that have gradients: for training and for stateless forward requests.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config.ts'
import type { SpanOptions } from '../family.ts'
import { groupedAttention, splitHeads } from '../layers/attention.ts'
import { causalBias, indices, maskedPositions, promptSelector } from '../layers/sequence.ts'
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

function prefixContext(g: GraphBuilder, { numKeyValueHeads, headDim }: ModelConfig, bias: Value): PrefixContext {
  const seen = g.Expand(g.constant(0), ['batch', 1, bias.shape[2]!, 'prefix'])
  return {
    bias: g.Concat([seen, bias], { axis: 3 }),
    spread: x =>
      g.Expand(g.Unsqueeze(g.Transpose(x, { perm: [1, 0, 2] }), [0]), ['batch', numKeyValueHeads, 'prefix', headDim])
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

  const positions = maskedPositions(g, mask)
  const bias = causalBias(g, mask, numHeads / numKeyValueHeads)
  let prefixes: PrefixContext | undefined
  let selector: Value | undefined

  const withPrefix = (x: Value, prefix: Value | undefined): Value =>
    prefix === undefined ? x : g.Concat([prefixes!.spread(prefix), x], { axis: 2 })
  const attendTo = (prefix: PrefixPort | undefined) => (projections: { query: Value; key: Value; value: Value }) => {
    const rotate = (x: Value, heads: number) => g.RotaryEmbedding(x, positions, cos, sin, { numHeads: heads })
    if (prefix !== undefined) prefixes ??= prefixContext(g, config, bias)
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
    selector ??= promptSelector(g, indices(g, 'seq'))
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
