// Names of the ports by which a request changes blocks, and their declaration as inputs of a span graph.
// Knows linear modules and biases, no tuning method and no attention.
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config/config.ts'
import type { BlockBias, LinearModule, PortKind, SpanOptions } from '../family.ts'

export interface ParsedPort {
  readonly kind: PortKind
  readonly block: number
  /** of LoRA, base, scale and bias: `self_attn.q_proj` */
  readonly module?: string
  /** none of a prompt and a bias */
  readonly part?: 'A' | 'B' | 'magnitude' | 'input' | 'output' | 'key' | 'value'
}

/** Names as they are on the wire and in graphs. */
export const portName = {
  lora: (block: number, module: string, part: 'A' | 'B' | 'magnitude') => `blocks.${block}.lora.${module}.${part}`,
  /** what the weight itself is changed by, which no dropout reaches and which is not trained */
  base: (block: number, module: string, part: 'A' | 'B') => `blocks.${block}.base.${module}.${part}`,
  /** values 0 or 1 / (1 - p), multiplied onto the module's LoRA input */
  loraMask: (block: number, module: string) => `blocks.${block}.lora.${module}.mask`,
  scale: (block: number, module: string, part: 'input' | 'output') => `blocks.${block}.scale.${module}.${part}`,
  bias: (block: number, module: string) => `blocks.${block}.bias.${module}`,
  prompt: (block: number) => `blocks.${block}.prompt`,
  prefix: (block: number, part: 'key' | 'value') => `blocks.${block}.prefix.${part}`
}

const patterns: readonly { kind: PortKind; pattern: RegExp }[] = [
  { kind: 'lora', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.lora\.(?<module>[\w.]+)\.(?<part>A|B|magnitude)$/ },
  { kind: 'base', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.base\.(?<module>[\w.]+)\.(?<part>[AB])$/ },
  { kind: 'scale', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.scale\.(?<module>[\w.]+)\.(?<part>input|output)$/ },
  { kind: 'bias', pattern: /^blocks\.(?<block>0|[1-9]\d{0,5})\.bias\.(?<module>[\w.]+)$/ },
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
    `unknown port '${name}': expected blocks.<i>.lora.<module>.A|B|magnitude, blocks.<i>.base.<module>.A|B, blocks.<i>.scale.<module>.input|output, ` +
      'blocks.<i>.bias.<module>, blocks.<i>.prompt or blocks.<i>.prefix.key|value'
  )
}

/** Whether a backward pass gives the gradient of a port: all but what weights are changed by. */
export function isTrained(name: string): boolean {
  return parsePort(name).kind !== 'base'
}

const blockPattern = /^blocks\.(\d+)\./

/** Those tensors that belong to blocks of the range: `blocks.<i>.…`. */
export function portsOf<T>(ports: Readonly<Record<string, T>>, blocks: BlockRange): Record<string, T> {
  return Object.fromEntries(
    Object.entries(ports).filter(([name]) => {
      const block = Number(blockPattern.exec(name)?.[1] ?? Number.NaN)
      return blocks.first <= block && block < blocks.end
    })
  )
}

/** A LoRA pair of one linear module as graph values. */
export interface LoraPort {
  /** [rank, in] */
  readonly a: Value
  /** [out, rank], scaling folded in */
  readonly b: Value
  /** dropout: [batch, seq, in], or [batch, source, in] of modules whose input are the encoder's states */
  readonly mask?: Value
  /** [out], of DoRA: the norms that the rows of the changed weight get (arXiv 2402.09353, section 4) */
  readonly magnitude?: Value
  /** [out], in its place: the magnitude divided by the norms */
  readonly gain?: Value
}

/** A low-rank change of the weight of one linear module: constants of a pass. */
export interface BasePort {
  /** [rank, in] */
  readonly a: Value
  /** [out, rank] */
  readonly b: Value
}

/** Vectors multiplied onto what goes into a linear module and what comes out of it, its LoRA included. */
export interface ScalePort {
  /** [in] */
  readonly input?: Value
  /** [out] */
  readonly output?: Value
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
  /** by module name */
  readonly base: ReadonlyMap<string, BasePort>
  /** by module name */
  readonly scale: ReadonlyMap<string, ScalePort>
  /** [size], added to the bias of a module, by its path */
  readonly bias: ReadonlyMap<string, Value>
  /** [prompt, hidden] */
  readonly prompt?: Value
  readonly prefix?: PrefixPort
}

/** What ports of a model's blocks may name. */
export interface PortSites {
  modulesOf(block: number): readonly LinearModule[]
  biasesOf(block: number): readonly BlockBias[]
}

/** Throws INVALID_ARGUMENT, with the names there are, for a module that is none of the block or has no bias. */
function checkModule(name: string, { kind, block, module }: ParsedPort, { modulesOf, biasesOf }: PortSites): void {
  if (module === undefined) return
  const known = (kind === 'bias' ? biasesOf(block) : modulesOf(block)).map(each => each.name)
  if (known.includes(module)) return
  const what = kind === 'bias' ? 'a module with a bias' : 'a module'
  throw new SwarmError('INVALID_ARGUMENT', `port '${name}': expected ${what} of ${known.join(', ') || 'none'}`)
}

/** The port without which this one means nothing. */
function partnerOf({ kind, block, module, part }: ParsedPort): string | null {
  if (kind === 'base') return portName.base(block, module!, part === 'A' ? 'B' : 'A')
  if (kind === 'lora') return portName.lora(block, module!, part === 'A' ? 'B' : 'A')
  if (kind === 'prefix') return portName.prefix(block, part === 'key' ? 'value' : 'key')
  return null
}

/** Port names grouped by block, checked to be known, within `blocks`, and in whole pairs. Throws INVALID_ARGUMENT. */
export function groupPorts(
  names: readonly string[],
  blocks: BlockRange,
  sites: PortSites
): Map<number, readonly ParsedPort[]> {
  const given = new Set(names)
  const groups = new Map<number, ParsedPort[]>()
  for (const name of given) {
    const port = parsePort(name)
    const { block } = port
    if (block < blocks.first || block >= blocks.end) {
      throw new SwarmError('INVALID_ARGUMENT', `port '${name}': expected a block within ${blocks.first}-${blocks.end}`)
    }
    checkModule(name, port, sites)
    const other = partnerOf(port)
    if (other !== null && !given.has(other))
      throw new SwarmError('INVALID_ARGUMENT', `port '${name}' needs '${other}' beside it`)
    groups.set(block, [...(groups.get(block) ?? []), port])
  }
  return groups
}

/**
 * Declares the inputs of a span's ports, block by block in the order of the modules. With `gains`, what comes under the name of a
 * magnitude is divided by the norms already. Throws INVALID_ARGUMENT (see `groupPorts`).
 */
export function declarePorts(
  g: GraphBuilder,
  config: ModelConfig,
  sites: PortSites,
  options: SpanOptions & { readonly gains?: boolean }
): (block: number) => BlockPorts {
  const groups = groupPorts(options.ports, options.blocks, sites)
  const { modulesOf, biasesOf } = sites
  const declared = new Map<number, BlockPorts>()
  for (let block = options.blocks.first; block < options.blocks.end; block++) {
    const ports = groups.get(block) ?? []
    const isFilled = (kind: PortKind, name: string, part?: ParsedPort['part']): boolean =>
      ports.some(port => port.kind === kind && port.module === name && (part ?? port.part) === port.part)
    const lora = new Map<string, LoraPort>()
    const base = new Map<string, BasePort>()
    const scale = new Map<string, ScalePort>()
    for (const { name, inFeatures, outFeatures, undropped, fromEncoder } of modulesOf(block)) {
      if (isFilled('scale', name)) {
        const vector = (part: 'input' | 'output', size: number): Value | undefined =>
          isFilled('scale', name, part) ? g.input(portName.scale(block, name, part), 'float32', [size]) : undefined
        scale.set(name, { input: vector('input', inFeatures), output: vector('output', outFeatures) })
      }
      if (isFilled('base', name)) {
        const rank = `base.rank.${block}.${name}`
        base.set(name, {
          a: g.input(portName.base(block, name, 'A'), 'float32', [rank, inFeatures]),
          b: g.input(portName.base(block, name, 'B'), 'float32', [outFeatures, rank])
        })
      }
      if (!isFilled('lora', name)) continue
      // Ranks may differ by module.
      const rank = `rank.${block}.${name}`
      const magnitude = isFilled('lora', name, 'magnitude')
        ? g.input(portName.lora(block, name, 'magnitude'), 'float32', [outFeatures])
        : undefined
      lora.set(name, {
        ...(options.gains ? { gain: magnitude } : { magnitude }),
        a: g.input(portName.lora(block, name, 'A'), 'float32', [rank, inFeatures]),
        b: g.input(portName.lora(block, name, 'B'), 'float32', [outFeatures, rank]),
        mask:
          options.dropout && !undropped
            ? g.input(portName.loraMask(block, name), 'float32', ['batch', fromEncoder ? 'source' : 'seq', inFeatures])
            : undefined
      })
    }
    const bias = new Map(
      biasesOf(block)
        .filter(({ name }) => isFilled('bias', name))
        .map(({ name, size }) => [name, g.input(portName.bias(block, name), 'float32', [size])])
    )
    const prefixShape = ['prefix', config.numKeyValueHeads, config.headDim]
    declared.set(block, {
      lora,
      base,
      scale,
      bias,
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
