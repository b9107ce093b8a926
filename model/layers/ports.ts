// Names of the ports by which a request changes blocks, and their declaration as inputs of a span graph.
// Knows linear modules and biases, no tuning method and no attention.
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config/config.ts'
import type { BlockBias, LinearModule, PortKind, SpanOptions } from '../family.ts'
import type { HadamardPort, KroneckerPort, RotationPort } from './factors.ts'

/** Factors of a Hadamard product: (B1 A1) ∘ (B2 A2). */
const hadamardParts = ['A1', 'B1', 'A2', 'B2'] as const

/** Factors of a Kronecker product, each a matrix or, where that is smaller, a pair B A. */
const kroneckerParts = ['left', 'leftA', 'leftB', 'right', 'rightA', 'rightB'] as const

export type HadamardPart = (typeof hadamardParts)[number]
export type KroneckerPart = (typeof kroneckerParts)[number]

/** Rows and columns of a Kronecker product's left factor; number and size of a rotation's blocks. Names of ports say them: `4x8`. */
export type PortSizes = readonly [number, number]

export interface ParsedPort {
  readonly kind: PortKind
  readonly block: number
  /** of every kind but prompt and prefix: `self_attn.q_proj` */
  readonly module?: string
  /** none of a prompt, a bias, a norm and a rotation */
  readonly part?:
    | 'A'
    | 'B'
    | 'magnitude'
    | 'input'
    | 'product'
    | 'output'
    | 'key'
    | 'value'
    | HadamardPart
    | KroneckerPart
  /** of a Kronecker product and a rotation */
  readonly sizes?: PortSizes
  /** of a rotation */
  readonly factor?: number
}

/** Names as they are on the wire and in graphs. */
export const portName = {
  lora: (block: number, module: string, part: 'A' | 'B' | 'magnitude') => `blocks.${block}.lora.${module}.${part}`,
  /** what the weight itself is changed by, which no dropout reaches and which is not trained */
  base: (block: number, module: string, part: 'A' | 'B') => `blocks.${block}.base.${module}.${part}`,
  /** values 0 or 1 / (1 - p), multiplied onto the module's LoRA input */
  loraMask: (block: number, module: string) => `blocks.${block}.lora.${module}.mask`,
  scale: (block: number, module: string, part: 'input' | 'product' | 'output') =>
    `blocks.${block}.scale.${module}.${part}`,
  hadamard: (block: number, module: string, part: HadamardPart) => `blocks.${block}.hadamard.${module}.${part}`,
  kronecker: (block: number, [rows, columns]: PortSizes, module: string, part: KroneckerPart) =>
    `blocks.${block}.kronecker.${rows}x${columns}.${module}.${part}`,
  rotation: (block: number, [count, size]: PortSizes, module: string, factor: number) =>
    `blocks.${block}.rotation.${count}x${size}.${module}.${factor}`,
  bias: (block: number, module: string) => `blocks.${block}.bias.${module}`,
  norm: (block: number, module: string) => `blocks.${block}.norm.${module}`,
  prompt: (block: number) => `blocks.${block}.prompt`,
  prefix: (block: number, part: 'key' | 'value') => `blocks.${block}.prefix.${part}`
}

/** What follows `blocks.<i>.` in the names of each kind, for people and as a pattern. */
const forms = {
  lora: ['lora.<module>.A|B|magnitude', String.raw`lora\.(?<module>[\w.]+)\.(?<part>A|B|magnitude)`],
  base: ['base.<module>.A|B', String.raw`base\.(?<module>[\w.]+)\.(?<part>[AB])`],
  scale: ['scale.<module>.input|output|product', String.raw`scale\.(?<module>[\w.]+)\.(?<part>input|output|product)`],
  hadamard: ['hadamard.<module>.A1|B1|A2|B2', String.raw`hadamard\.(?<module>[\w.]+)\.(?<part>[AB][12])`],
  kronecker: [
    'kronecker.<rows>x<columns>.<module>.left|leftA|leftB|right|rightA|rightB',
    String.raw`kronecker\.(?<sizes>[1-9]\d{0,6}x[1-9]\d{0,6})\.(?<module>[\w.]+)\.(?<part>(?:left|right)[AB]?)`
  ],
  rotation: [
    'rotation.<count>x<size>.<module>.<factor>',
    String.raw`rotation\.(?<sizes>[1-9]\d{0,6}x[1-9]\d{0,6})\.(?<module>[\w.]+)\.(?<factor>0|[1-9]\d?)`
  ],
  bias: ['bias.<module>', String.raw`bias\.(?<module>[\w.]+)`],
  norm: ['norm.<norm>', String.raw`norm\.(?<module>[\w.]+)`],
  prompt: ['prompt', 'prompt'],
  prefix: ['prefix.key|value', String.raw`prefix\.(?<part>key|value)`]
} as const satisfies Record<PortKind, readonly [form: string, pattern: string]>

const patterns = Object.entries(forms).map(([kind, [, pattern]]) => ({
  kind: kind as PortKind,
  pattern: new RegExp(String.raw`^blocks\.(?<block>0|[1-9]\d{0,5})\.${pattern}$`)
}))

/** Throws INVALID_ARGUMENT for a name that is no port's. */
export function parsePort(name: string): ParsedPort {
  for (const { kind, pattern } of patterns) {
    const groups = pattern.exec(name)?.groups
    if (groups === undefined) continue
    const { block, module, part, sizes, factor } = groups
    return {
      kind,
      block: Number(block),
      module,
      part: part as ParsedPort['part'],
      ...(sizes !== undefined && { sizes: sizes.split('x').map(Number) as [number, number] }),
      ...(factor !== undefined && { factor: Number(factor) })
    }
  }
  const known = Object.values(forms).map(([form]) => `blocks.<i>.${form}`)
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `unknown port '${name}': expected ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`
  )
}

/** Whether a backward pass gives the gradient of a port: all but what weights are changed by. */
export function isTrained(name: string): boolean {
  return parsePort(name).kind !== 'base'
}

/** Whether ports of this kind change a linear module or a norm, rather than hidden states. */
export function changesModules(kind: PortKind): boolean {
  return kind !== 'prompt' && kind !== 'prefix'
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
  /** [out], onto the product with the weight, before bias and LoRA are added */
  readonly product?: Value
  /** [out] */
  readonly output?: Value
}

/** What a request changes in one linear module. */
export interface ModulePorts {
  readonly lora?: LoraPort
  readonly base?: BasePort
  readonly scale?: ScalePort
  readonly hadamard?: HadamardPort
  readonly kronecker?: KroneckerPort
  readonly rotation?: RotationPort
}

export interface PrefixPort {
  /** [prefix, kvHeads, headDim] */
  readonly key: Value
  readonly value: Value
}

/** What a request changes in one block. */
export interface BlockPorts {
  /** by the name of the linear module; those without a port are not there */
  readonly modules: ReadonlyMap<string, ModulePorts>
  /** [size], added to the bias of a module, by its path; a linear module without one gets it */
  readonly bias: ReadonlyMap<string, Value>
  /** [size], added to the weight of a norm, by its path */
  readonly norm: ReadonlyMap<string, Value>
  /** [prompt, hidden] */
  readonly prompt?: Value
  readonly prefix?: PrefixPort
}

/** What ports of a model's blocks may name. */
export interface PortSites {
  modulesOf(block: number): readonly LinearModule[]
  biasesOf(block: number): readonly BlockBias[]
  /** norms with a weight */
  normsOf(block: number): readonly BlockBias[]
}

/** Where biases can be added: what has one, and every linear module. */
export function biasPlaces(
  { modulesOf, biasesOf }: Pick<PortSites, 'modulesOf' | 'biasesOf'>,
  block: number
): BlockBias[] {
  const linears = modulesOf(block).map(({ name, outFeatures }) => ({ name, size: outFeatures }))
  return [...new Map([...linears, ...biasesOf(block)].map(each => [each.name, each])).values()]
}

const invalid = (message: string): never => {
  throw new SwarmError('INVALID_ARGUMENT', message)
}

/** Throws INVALID_ARGUMENT, with the names there are, for a module that is none of the block or has no bias. */
function checkModule(name: string, { kind, block, module }: ParsedPort, sites: PortSites): void {
  if (module === undefined) return
  const [places, what] =
    kind === 'bias'
      ? [biasPlaces(sites, block), 'a linear module or one with a bias']
      : kind === 'norm'
        ? [sites.normsOf(block), 'a norm']
        : [sites.modulesOf(block), 'a module']
  const known = places.map(each => each.name)
  if (!known.includes(module)) invalid(`port '${name}': expected ${what} of ${known.join(', ') || 'none'}`)
}

/** Throws INVALID_ARGUMENT for sizes that the module's do not divide into. */
function checkSizes(name: string, { kind, block, module, sizes, factor }: ParsedPort, { modulesOf }: PortSites): void {
  if (sizes === undefined) return
  const { inFeatures, outFeatures } = modulesOf(block).find(each => each.name === module)!
  const [first, second] = sizes
  if (kind === 'kronecker' && (outFeatures % first !== 0 || inFeatures % second !== 0)) {
    invalid(`port '${name}': expected sizes that divide [${outFeatures}, ${inFeatures}], found [${first}, ${second}]`)
  }
  if (kind !== 'rotation') return
  const count = inFeatures / second
  if (count !== first && !(first === 1 && Number.isInteger(count))) {
    invalid(`port '${name}': expected blocks for ${inFeatures} numbers, found ${first} of ${second}`)
  }
  if (factor! > 0 && (first % 2 ** factor! !== 0 || second % 2 !== 0)) {
    invalid(
      `port '${name}': expected a multiple of ${2 ** factor!} blocks of an even size, found ${first} of ${second}`
    )
  }
}

/** Ports without which this one means nothing: of each list, all those of one entry. */
function partnersOf({ kind, block, module, part, sizes, factor }: ParsedPort): readonly (readonly string[])[] {
  if (kind === 'lora' || kind === 'base') return [[portName[kind](block, module!, part === 'A' ? 'B' : 'A')]]
  if (kind === 'prefix') return [[portName.prefix(block, part === 'key' ? 'value' : 'key')]]
  if (kind === 'hadamard') return hadamardParts.map(other => [portName.hadamard(block, module!, other)])
  if (kind === 'rotation' && factor! > 0) return [[portName.rotation(block, sizes!, module!, factor! - 1)]]
  if (kind !== 'kronecker') return []
  const named = (other: string) => portName.kronecker(block, sizes!, module!, other as KroneckerPart)
  const side = part!.startsWith('left') ? 'left' : 'right'
  const opposite = side === 'left' ? 'right' : 'left'
  const own = part === side ? [] : [[named(`${side}A`)], [named(`${side}B`)]]
  return [...own, [named(opposite), named(`${opposite}A`)]]
}

/** Throws INVALID_ARGUMENT where two ports say the same of one module in different ways. */
function checkRivals(ports: readonly ParsedPort[]): void {
  const known = new Map<string, string>()
  for (const { kind, block, module, part = '', sizes } of ports) {
    if (sizes === undefined) continue
    const what = `blocks.${block}: ${kind} of ${module}`
    const shape = sizes.join('x')
    const ways = [
      [what, shape],
      ...(kind === 'kronecker'
        ? [[`${what}, ${part.replace(/[AB]$/, '')}`, /[AB]$/.test(part) ? 'a pair' : 'a matrix']]
        : [])
    ] as const
    for (const [place, way] of ways) {
      const other = known.get(place!) ?? way!
      if (other !== way) invalid(`${place}: expected one form, found ${other} and ${way}`)
      known.set(place!, way!)
    }
  }
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
    checkSizes(name, port, sites)
    const missing = partnersOf(port).find(choices => !choices.some(other => given.has(other)))
    if (missing !== undefined) invalid(`port '${name}' needs '${missing.join("' or '")}' beside it`)
    groups.set(block, [...(groups.get(block) ?? []), port])
  }
  for (const ports of groups.values()) checkRivals(ports)
  return groups
}

type PortShape = readonly (number | string)[]

/** Shape of a module's port; sizes that the request chooses are names. Throws INTERNAL for kinds that change no module. */
export function modulePortShape(
  { kind, block, part, sizes }: ParsedPort,
  { name, inFeatures, outFeatures }: LinearModule
): PortShape {
  // ranks may differ by module
  const rank = `rank.${block}.${name}`
  if (part === 'magnitude') return [outFeatures]
  if (kind === 'lora') return part === 'A' ? [rank, inFeatures] : [outFeatures, rank]
  if (kind === 'base') return part === 'A' ? [`base.${rank}`, inFeatures] : [outFeatures, `base.${rank}`]
  if (kind === 'scale') return [part === 'input' ? inFeatures : outFeatures]
  if (kind === 'hadamard') {
    const own = `${rank}.${part!.slice(1)}`
    return part!.startsWith('A') ? [own, inFeatures] : [outFeatures, own]
  }
  const [first, second] = sizes ?? [1, 1]
  if (kind === 'rotation') return [first, second, second]
  if (kind !== 'kronecker') throw new SwarmError('INTERNAL', `a port of kind ${kind} changes no linear module`)
  const side = part!.startsWith('left') ? 'left' : 'right'
  const [rows, columns] = side === 'left' ? [first, second] : [outFeatures / first, inFeatures / second]
  if (part === side) return [rows, columns]
  return part!.endsWith('A') ? [`${rank}.${side}`, columns] : [rows, `${rank}.${side}`]
}

/** The ports of one linear module as inputs of a graph, if it has any. */
function declareModule(
  g: GraphBuilder,
  ports: readonly ParsedPort[],
  module: LinearModule,
  { dropout, gains }: Pick<SpanOptions, 'dropout'> & { readonly gains?: boolean }
): ModulePorts | undefined {
  const own = ports.filter(port => port.module === module.name && port.kind !== 'bias' && port.kind !== 'norm')
  if (own.length === 0) return undefined
  const { name, inFeatures, undropped, fromEncoder } = module
  const declare = (
    kind: PortKind,
    part: ParsedPort['part'],
    named: (port: ParsedPort) => string
  ): Value | undefined => {
    const port = own.find(each => each.kind === kind && each.part === part)
    return port && g.input(named(port), 'float32', modulePortShape(port, module))
  }
  const has = (kind: PortKind): boolean => own.some(port => port.kind === kind)
  const scale = (part: 'input' | 'product' | 'output') =>
    declare('scale', part, ({ block }) => portName.scale(block, name, part))
  const lora = (part: 'A' | 'B' | 'magnitude') => declare('lora', part, ({ block }) => portName.lora(block, name, part))
  const base = (part: 'A' | 'B') => declare('base', part, ({ block }) => portName.base(block, name, part))!
  const hadamard = (part: HadamardPart) =>
    declare('hadamard', part, ({ block }) => portName.hadamard(block, name, part))!
  const kronecker = (part: KroneckerPart) =>
    declare('kronecker', part, ({ block, sizes }) => portName.kronecker(block, sizes!, name, part))
  const side = (of: 'left' | 'right') => ({ matrix: kronecker(of), a: kronecker(`${of}A`), b: kronecker(`${of}B`) })
  const rotations = own.filter(({ kind }) => kind === 'rotation').sort((one, other) => one.factor! - other.factor!)
  return {
    scale: has('scale') ? { input: scale('input'), product: scale('product'), output: scale('output') } : undefined,
    lora: has('lora')
      ? {
          [gains ? 'gain' : 'magnitude']: lora('magnitude'),
          a: lora('A')!,
          b: lora('B')!,
          mask:
            dropout && !undropped
              ? g.input(portName.loraMask(own[0]!.block, name), 'float32', [
                  'batch',
                  fromEncoder ? 'source' : 'seq',
                  inFeatures
                ])
              : undefined
        }
      : undefined,
    base: has('base') ? { a: base('A'), b: base('B') } : undefined,
    hadamard: has('hadamard')
      ? { first: { a: hadamard('A1'), b: hadamard('B1') }, second: { a: hadamard('A2'), b: hadamard('B2') } }
      : undefined,
    kronecker: has('kronecker')
      ? {
          sizes: own.find(({ kind }) => kind === 'kronecker')!.sizes!,
          out: module.outFeatures,
          left: side('left'),
          right: side('right')
        }
      : undefined,
    rotation:
      rotations.length === 0
        ? undefined
        : rotations.map(port => {
            const { block, sizes, factor } = port
            return g.input(portName.rotation(block, sizes!, name, factor!), 'float32', modulePortShape(port, module))
          })
  }
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
  const declared = new Map<number, BlockPorts>()
  for (let block = options.blocks.first; block < options.blocks.end; block++) {
    const ports = groups.get(block) ?? []
    const modules = new Map<string, ModulePorts>()
    for (const module of sites.modulesOf(block)) {
      const filled = declareModule(g, ports, module, options)
      if (filled !== undefined) modules.set(module.name, filled)
    }
    const vectors = (kind: 'bias' | 'norm', places: readonly BlockBias[]) =>
      new Map(
        places
          .filter(({ name }) => ports.some(port => port.kind === kind && port.module === name))
          .map(({ name, size }) => [name, g.input(portName[kind](block, name), 'float32', [size])])
      )
    const prefixShape = ['prefix', config.numKeyValueHeads, config.headDim]
    declared.set(block, {
      modules,
      bias: vectors('bias', biasPlaces(sites, block)),
      norm: vectors('norm', sites.normsOf(block)),
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
