// Names of the ports by which a request changes blocks, and their declaration as inputs of a span graph.
// Knows linear modules, no tuning method and no attention.
import { SwarmError } from '../common/errors.ts'
import type { BlockRange } from '../common/range.ts'
import type { GraphBuilder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import type { ModelConfig } from './config.ts'
import type { LinearModule, PortKind, SpanOptions } from './family.ts'

export interface ParsedPort {
  readonly kind: PortKind
  readonly block: number
  /** LoRA only: `self_attn.q_proj` */
  readonly module?: string
  /** `A`, `B`, `key`, `value`; none of a prompt */
  readonly part?: 'A' | 'B' | 'key' | 'value'
}

/** Names as they are on the wire and in graphs. */
export const portName = {
  lora: (block: number, module: string, part: 'A' | 'B') => `blocks.${block}.lora.${module}.${part}`,
  /** values 0 or 1 / (1 - p), multiplied onto the module's LoRA input */
  loraMask: (block: number, module: string) => `blocks.${block}.lora.${module}.mask`,
  prompt: (block: number) => `blocks.${block}.prompt`,
  prefix: (block: number, part: 'key' | 'value') => `blocks.${block}.prefix.${part}`
}

const patterns: readonly { kind: PortKind; pattern: RegExp }[] = [
  { kind: 'lora', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.lora\.(?<module>[\w.]+)\.(?<part>[AB])$/ },
  { kind: 'prompt', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.prompt$/ },
  { kind: 'prefix', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.prefix\.(?<part>key|value)$/ }
]

/** Throws INVALID_ARGUMENT for a name that is no port's. */
export function parsePort(name: string): ParsedPort {
  for (const { kind, pattern } of patterns) {
    const { block, module, part } = pattern.exec(name)?.groups ?? {}
    if (block !== undefined) return { kind, block: Number(block), module, part: part as ParsedPort['part'] }
  }
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `unknown port '${name}': expected blocks.<i>.lora.<module>.A|B, blocks.<i>.prompt or blocks.<i>.prefix.key|value`
  )
}

/** A LoRA pair of one linear module as graph values. */
export interface LoraPort {
  /** [rank, in] */
  readonly a: Value
  /** [out, rank], scaling folded in */
  readonly b: Value
  /** dropout: [batch, seq, in] */
  readonly mask?: Value
}

export interface PrefixPort {
  /** [prefix, kvHeads, headDim] */
  readonly key: Value
  readonly value: Value
}

/** What a request changes in one block. */
export interface BlockPorts {
  /** by module name */
  readonly lora: ReadonlyMap<string, LoraPort>
  /** [prompt, hidden] */
  readonly prompt?: Value
  readonly prefix?: PrefixPort
}

/** Port names grouped by block, checked to be known, within `blocks`, and in whole pairs. Throws INVALID_ARGUMENT. */
export function groupPorts(
  names: readonly string[],
  blocks: BlockRange,
  modules: readonly LinearModule[]
): Map<number, readonly ParsedPort[]> {
  const known = new Set(modules.map(module => module.name))
  const given = new Set(names)
  const groups = new Map<number, ParsedPort[]>()
  for (const name of given) {
    const port = parsePort(name)
    const { kind, block, module, part } = port
    if (block < blocks.first || block >= blocks.end) {
      throw new SwarmError('INVALID_ARGUMENT', `port '${name}': expected a block within ${blocks.first}-${blocks.end}`)
    }
    if (module !== undefined && !known.has(module)) {
      throw new SwarmError('INVALID_ARGUMENT', `port '${name}': expected a module of ${[...known].join(', ')}`)
    }
    const other =
      kind === 'lora'
        ? portName.lora(block, module!, part === 'A' ? 'B' : 'A')
        : kind === 'prefix'
          ? portName.prefix(block, part === 'key' ? 'value' : 'key')
          : name
    if (!given.has(other)) throw new SwarmError('INVALID_ARGUMENT', `port '${name}' needs '${other}' beside it`)
    groups.set(block, [...(groups.get(block) ?? []), port])
  }
  return groups
}

/** Declares the inputs of a span's ports, block by block in the order of the modules. Throws INVALID_ARGUMENT (see `groupPorts`). */
export function declarePorts(
  g: GraphBuilder,
  config: ModelConfig,
  modules: readonly LinearModule[],
  options: SpanOptions
): (block: number) => BlockPorts {
  const groups = groupPorts(options.ports, options.blocks, modules)
  const declared = new Map<number, BlockPorts>()
  for (let block = options.blocks.first; block < options.blocks.end; block++) {
    const ports = groups.get(block) ?? []
    const lora = new Map<string, LoraPort>()
    for (const { name, inFeatures, outFeatures } of modules) {
      if (!ports.some(port => port.module === name)) continue
      // Ranks may differ by module.
      const rank = `rank.${block}.${name}`
      lora.set(name, {
        a: g.input(portName.lora(block, name, 'A'), 'float32', [rank, inFeatures]),
        b: g.input(portName.lora(block, name, 'B'), 'float32', [outFeatures, rank]),
        mask: options.dropout
          ? g.input(portName.loraMask(block, name), 'float32', ['batch', 'seq', inFeatures])
          : undefined
      })
    }
    const prefixShape = ['prefix', config.numKeyValueHeads, config.headDim]
    declared.set(block, {
      lora,
      prompt: ports.some(port => port.kind === 'prompt')
        ? g.input(portName.prompt(block), 'float32', ['prompt', config.hiddenSize])
        : undefined,
      prefix: ports.some(port => port.kind === 'prefix')
        ? {
            key: g.input(portName.prefix(block, 'key'), 'float32', prefixShape),
            value: g.input(portName.prefix(block, 'value'), 'float32', prefixShape)
          }
        : undefined
    })
  }
  return block => declared.get(block)!
}
