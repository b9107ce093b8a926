// Keys and values of cross attention, computed once a session from the hidden states that leave the encoder.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph } from '../../graph/graph.ts'
import { type ModelConfig, stackOf } from '../config/config.ts'
import type { SpanOptions } from '../family.ts'
import { splitHeads } from '../layers/attention.ts'
import { changesModules, declarePorts, parsePort } from '../layers/ports.ts'
import { BlockScope } from '../layers/scope.ts'
import { portModulesOf, portSites } from './blocks.ts'
import type { FamilyDescription } from './description.ts'
import { blockTensorsOf } from './expected-tensors.ts'

/**
 * Inputs: `encoder_hidden` [inputs, source, hidden], and the ports of linear modules. Outputs: `cross.<i>.key|value` [inputs, heads,
 * source, headDim]. Null where the span's blocks do not cross-attend.
 */
export function crossSpan<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  { blocks, ports, precision = 'float32' }: SpanOptions
): Graph | null {
  if (!stackOf(config, blocks.first).crosses || description.crossProjections === undefined) return null
  const g = new GraphBuilder(`cross.${blocks.first}-${blocks.end}`)
  const states = g.input('encoder_hidden', 'float32', ['inputs', 'source', config.hiddenSize])
  const used = ports.filter(name => changesModules(parsePort(name).kind))
  const portsOf = declarePorts(g, config, portSites(description, config), { blocks, ports: used, gains: true })
  for (let block = blocks.first; block < blocks.end; block++) {
    const scope = new BlockScope(g, blockTensorsOf(description, config, block), {
      block,
      prefix: `${description.blockPath(block, config)}.`,
      modules: portModulesOf(description, config, block),
      ports: portsOf(block),
      precision,
      // as in whole sequences: a session computes them once, over all of its source
      packed: false
    })
    const { key, value } = g.scoped(`block.${block}`, () => description.crossProjections!({ g, config, scope }, states))
    g.output(`cross.${block}.key`, splitHeads(g, key, config.numKeyValueHeads, config.headDim))
    g.output(`cross.${block}.value`, splitHeads(g, value, config.numKeyValueHeads, config.headDim))
  }
  return g.build()
}
