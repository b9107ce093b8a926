// The blocks of a span one after the other, whatever attention they are given.
import { SwarmError } from '../../common/errors.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Dim, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config/config.ts'
import type { LinearModule, SpanOptions } from '../family.ts'
import { type AttentionKind, groupedAttention, type HeadSizes } from '../layers/attention.ts'
import type { BlockPorts, PortSites } from '../layers/ports.ts'
import { BlockScope } from '../layers/scope.ts'
import { promptSelector, scoreBias } from '../layers/sequence.ts'
import type { Attend, FamilyDescription } from './description.ts'
import { blockBiasesOf, blockNormsOf, blockTensorsOf } from './expected-tensors.ts'

export interface SpanContext {
  readonly portsOf: (block: number) => BlockPorts
  /** attention of a block */
  readonly attend: (block: number) => Attend
  /** of blocks that cross-attend: queries [batch, seq, heads * headDim] to the mixed states of the encoder */
  readonly cross?: (block: number, scope: BlockScope) => (query: Value) => Value
  /** index of every token in its sequence, int64 [seq] or [batch, seq]: prompts go to the first */
  readonly tokenIndices: () => Value
  /** see QuantizedWeight */
  readonly packed: boolean
}

/** Keys and values of the encoder's states, [inputs, kvHeads, source, headDim], and which of them are tokens, int64 [inputs, source]. */
export interface CrossStates {
  readonly key: Value
  readonly value: Value
  readonly mask: Value
}

/**
 * Queries [batch, seq, numHeads * headDim] mixed with what the encoder says. Where `inputs` is another symbol than `batch`, each input is
 * that of equally many rows, one after the other.
 */
export function attendEncoder(
  g: GraphBuilder,
  query: Value,
  { key, value, mask }: CrossStates,
  sizes: HeadSizes,
  { scale, softcap }: Pick<AttentionKind, 'scale' | 'softcap'>
): Value {
  const [inputs] = key.shape as [Dim]
  const [batch, seq, width] = query.shape as [Dim, Dim, Dim]
  const bias = scoreBias(g, g.Unsqueeze(g.Cast(mask, { to: 'bool' }), [1, 2]))
  const attend = (rows: Value): Value =>
    groupedAttention(g, { query: rows, key, value, bias }, sizes, { scale, softcap })
  if (inputs === batch) return attend(query)
  const mixed = attend(g.Regroup(query, [inputs, 'rows', width], { rest: 'rows' }))
  return g.Regroup(mixed, [batch, seq, width], { rest: batch as string })
}

/** Linear modules of a block, and the modules that its parameters are made of. */
export function portModulesOf<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  block: number
): readonly LinearModule[] {
  const parameters = description.blockParameters?.(config) ?? []
  return [...description.linearModules(config, block), ...parameters.flatMap(({ experts }) => experts.flat())]
}

/** What ports of this model's blocks may name. */
export function portSites<C extends ModelConfig>(description: FamilyDescription<C>, config: C): PortSites {
  return {
    modulesOf: block => portModulesOf(description, config, block),
    biasesOf: block => blockBiasesOf(description, config, block),
    normsOf: block => blockNormsOf(description, config, block)
  }
}

/** hidden [batch, seq, hidden] -> the same */
export function throughBlocks<C extends ModelConfig>(
  g: GraphBuilder,
  description: FamilyDescription<C>,
  config: C,
  { blocks, precision = 'float32' }: Pick<SpanOptions, 'blocks' | 'precision'>,
  hidden: Value,
  { portsOf, attend, cross, tokenIndices, packed }: SpanContext
): Value {
  let selector: Value | undefined
  const prompted = (x: Value, { prompt }: BlockPorts): Value => {
    if (prompt === undefined) return x
    selector ??= promptSelector(g, tokenIndices())
    return g.Add(x, g.MatMul(selector, prompt))
  }
  let x = hidden
  for (let block = blocks.first; block < blocks.end; block++) {
    const ports = portsOf(block)
    x = g.scoped(`block.${block}`, () => {
      const modules = portModulesOf(description, config, block)
      const prefix = `${description.blockPath(block, config)}.`
      const tensors = blockTensorsOf(description, config, block)
      const scope = new BlockScope(g, tensors, { block, prefix, modules, ports, precision, packed })
      const attendCross = (query: Value): Value => {
        if (cross === undefined) throw new SwarmError('INTERNAL', `block ${block} has no encoder to attend to`)
        return cross(block, scope)(query)
      }
      return description.block({ g, config, scope, attend: attend(block), attendCross }, prompted(x, ports))
    })
  }
  return x
}
