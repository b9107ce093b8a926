// The gains of DoRA's modules, computed once for all steps of a session: they depend on weights and ports, not on hidden states.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph } from '../../graph/graph.ts'
import type { ModelConfig } from '../config/config.ts'
import type { SpanOptions } from '../family.ts'
import { declarePorts, parsePort, portName } from '../layers/ports.ts'
import { BlockScope } from '../layers/scope.ts'
import { portModulesOf, portSites } from './blocks.ts'
import type { FamilyDescription } from './description.ts'
import { blockTensorsOf } from './expected-tensors.ts'

/** Inputs: the lora and base ports of modules with a magnitude. Outputs: `gain.<port of the magnitude>` [out]. Null without one. */
export function gainSpan<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  { blocks, ports, precision = 'float32' }: SpanOptions
): Graph | null {
  const parsed = ports.map(name => ({ name, ...parsePort(name) }))
  const adapted = parsed.filter(({ part }) => part === 'magnitude')
  if (adapted.length === 0) return null
  const isUsed = ({ kind, block, module }: (typeof parsed)[number]): boolean =>
    (kind === 'lora' || kind === 'base') && adapted.some(each => each.block === block && each.module === module)
  const used = parsed.filter(isUsed).map(({ name }) => name)
  const g = new GraphBuilder(`gains.${blocks.first}-${blocks.end}`)
  const portsOf = declarePorts(g, config, portSites(description, config), { blocks, ports: used })
  const scopes = new Map<number, BlockScope>()
  const scopeOf = (block: number): BlockScope =>
    new BlockScope(g, blockTensorsOf(description, config, block), {
      block,
      prefix: `${description.blockPath(block, config)}.`,
      modules: portModulesOf(description, config, block),
      ports: portsOf(block),
      precision,
      packed: false
    })
  for (const { block, module } of adapted) {
    const scope = scopes.get(block) ?? scopeOf(block)
    scopes.set(block, scope)
    g.output(`gain.${portName.lora(block, module!, 'magnitude')}`, scope.gain(module!)!)
  }
  return g.build()
}
