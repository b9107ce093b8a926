// The blocks of a span one after the other, whatever attention they are given.
import { SwarmError } from '../../common/errors.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config/config.ts'
import type { LinearModule, SpanOptions } from '../family.ts'
import type { BlockPorts, PortSites } from '../layers/ports.ts'
import { BlockScope } from '../layers/scope.ts'
import { promptSelector } from '../layers/sequence.ts'
import type { Attend, FamilyDescription } from './description.ts'
import { blockBiasesOf, blockTensorsOf } from './expected-tensors.ts'

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
    biasesOf: block => blockBiasesOf(description, config, block)
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
