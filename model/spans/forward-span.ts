// A span of blocks over whole sequences, in operators that have gradients: for training and for stateless forward requests.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { type ModelConfig, stackOf } from '../config/config.ts'
import type { SpanOptions } from '../family.ts'
import {
  type AttentionKind,
  biasKey,
  groupedAttention,
  type HeadSizes,
  positionBias,
  splitHeads
} from '../layers/attention.ts'
import { declarePorts, type PrefixPort } from '../layers/ports.ts'
import { relativeBias } from '../layers/relative-bias.ts'
import { rotaryInputs, rotate } from '../layers/rotary.ts'
import { causal, causalBias, indices, maskedPositions, openBias, rowIndices, scoreBias } from '../layers/sequence.ts'
import { attendEncoder, portSites, throughBlocks } from './blocks.ts'
import type { Attend, FamilyDescription } from './description.ts'

/** Biases of the scores by what they depend on: blocks that attend alike share them. */
class Biases {
  readonly #g: GraphBuilder
  readonly #mask: Value
  readonly #positions: Value
  readonly #heads: number
  readonly #repeat: number
  readonly #known = new Map<string, Value>()

  constructor(g: GraphBuilder, inputs: { mask: Value; positions: Value }, sizes: HeadSizes) {
    this.#g = g
    this.#mask = inputs.mask
    this.#positions = inputs.positions
    this.#heads = sizes.numHeads
    this.#repeat = sizes.numHeads / sizes.numKeyValueHeads
  }

  /** [batch, 1 or heads, rows, keys]; keys are prefix+seq where trained keys and values come before the sequence */
  of(kind: AttentionKind, isPrefixed: boolean): Value {
    const key = `${biasKey(kind)} ${isPrefixed}`
    const bias = this.#known.get(key) ?? (isPrefixed ? this.#withPrefix(kind) : this.#plain(kind))
    this.#known.set(key, bias)
    return bias
  }

  #plain(kind: AttentionKind, positions = this.#positions): Value {
    const { window, alibi, bothWays } = kind
    const g = this.#g
    const visible = bothWays ? openBias(g, this.#mask, window) : causalBias(g, this.#mask, this.#repeat, window)
    const bias = this.#withDistances(kind, visible, indices(g, 'seq'))
    return alibi === undefined ? bias : g.Add(bias, positionBias(g, alibi, g.Unsqueeze(positions, [1, 2])))
  }

  /** With what depends on how far keys at these places, int64 [keys], are from each row. */
  #withDistances({ relative, bothWays }: AttentionKind, bias: Value, places: Value): Value {
    const g = this.#g
    if (relative === undefined) return bias
    const distances = g.Sub(places, g.Unsqueeze(rowIndices(g, this.#repeat), [1]))
    return g.Add(bias, relativeBias(g, relative, { heads: this.#heads, bothWays }, distances))
  }

  /** A prefix takes the places before the first token; it is out of sight only where it lies behind the window. */
  #withPrefix(kind: AttentionKind): Value {
    const g = this.#g
    const { alibi } = kind
    const first = g.size('prefix')
    // biases count from the prefix on
    const bias = alibi === undefined ? this.of(kind, false) : this.#plain(kind, g.Add(this.#positions, first))
    const places = g.Sub(indices(g, 'prefix'), first)
    const rows = g.Unsqueeze(rowIndices(g, this.#repeat), [1])
    const visible =
      kind.window === undefined || kind.bothWays ? g.constant(0) : scoreBias(g, causal(g, rows, places, kind.window))
    const placed = this.#withDistances(kind, visible, places)
    const before = alibi === undefined ? placed : g.Add(placed, positionBias(g, alibi, indices(g, 'prefix')))
    return g.Concat([g.Expand(before, ['batch', bias.shape[1]!, bias.shape[2]!, 'prefix']), bias], { axis: 3 })
  }
}

/**
 * Inputs: `hidden` [batch, seq, hidden], `mask` int64 [batch, seq] (1 token, 0 padding on either side), the family's tables of
 * angles with at least seq positions, and the ports; for blocks that cross-attend also `encoder_hidden` [batch, source, hidden] and
 * `encoder_mask` int64 [batch, source]. Output: `hidden_out` [batch, seq, hidden].
 * Throws INVALID_ARGUMENT for ports that are not of this span.
 */
export function forwardSpan<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  options: SpanOptions
): Graph {
  const { blocks } = options
  const { numKeyValueHeads, headDim } = config
  const g = new GraphBuilder(`forward.${blocks.first}-${blocks.end}`)
  const hidden = g.input('hidden', 'float32', ['batch', 'seq', config.hiddenSize])
  const mask = g.input('mask', 'int64', ['batch', 'seq'])
  const encoder = stackOf(config, blocks.first).crosses
    ? {
        hidden: g.input('encoder_hidden', 'float32', ['batch', 'source', config.hiddenSize]),
        mask: g.input('encoder_mask', 'int64', ['batch', 'source'])
      }
    : undefined
  const tablesOf = rotaryInputs(g)
  for (let block = blocks.first; block < blocks.end; block++) {
    const { rotary } = description.attention(config, block)
    if (rotary !== undefined) tablesOf(rotary)
  }
  const portsOf = declarePorts(g, config, portSites(description, config), options)
  const byPlace = description.positionRule?.(config).counts === 'places'
  const positions = byPlace ? g.Expand(indices(g, 'seq'), ['batch', 'seq']) : maskedPositions(g, mask)
  const biases = new Biases(g, { mask, positions }, config)

  /** [prefix, kvHeads, headDim] before [batch, kvHeads, seq, headDim] */
  const joined = (x: Value, prefix: Value | undefined): Value => {
    if (prefix === undefined) return x
    const rows = g.Unsqueeze(g.Transpose(prefix, { perm: [1, 0, 2] }), [0])
    return g.Concat([g.Expand(rows, ['batch', numKeyValueHeads, 'prefix', headDim]), x], { axis: 2 })
  }
  /** A block's own bias, with nothing for a prefix in front. */
  const widened = (bias: Value, prefix: PrefixPort | undefined): Value => {
    if (prefix === undefined) return bias
    const nothing = g.Expand(g.constant(0), [...bias.shape.slice(0, 3), 'prefix'])
    return g.Concat([nothing, bias], { axis: 3 })
  }
  const attendWith = (kind: AttentionKind, prefix: PrefixPort | undefined): Attend => {
    const { rotary } = kind
    return projections => {
      const turned = rotary ? rotate(g, projections, tablesOf(rotary), rotary, positions, config) : projections
      const key = splitHeads(g, turned.key, numKeyValueHeads, headDim)
      const value = splitHeads(g, turned.value, numKeyValueHeads, headDim)
      const shared = biases.of(kind, prefix !== undefined)
      const bias = projections.bias === undefined ? shared : g.Add(shared, widened(projections.bias, prefix))
      const joinedInputs = {
        query: turned.query,
        key: joined(key, prefix?.key),
        value: joined(value, prefix?.value),
        bias
      }
      return groupedAttention(g, joinedInputs, config, kind)
    }
  }
  const out = throughBlocks(g, description, config, options, hidden, {
    portsOf,
    packed: false,
    attend: block => attendWith(description.attention(config, block), portsOf(block).prefix),
    cross:
      encoder &&
      ((block, scope) => {
        const { key, value } = description.crossProjections!({ g, config, scope }, encoder.hidden)
        const states = {
          key: splitHeads(g, key, numKeyValueHeads, headDim),
          value: splitHeads(g, value, numKeyValueHeads, headDim),
          mask: encoder.mask
        }
        return query => attendEncoder(g, query, states, config, description.attention(config, block))
      }),
    tokenIndices: () => indices(g, 'seq')
  })
  g.output('hidden_out', out)
  return g.build()
}
