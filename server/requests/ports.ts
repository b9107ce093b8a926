// Validates the trained tensors of a request: known names, complete pairs, blocks of the span, sizes of the module.
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import {
  biasPlaces,
  changesModules,
  groupPorts,
  modulePortShape,
  type ParsedPort,
  type PortSites,
  parsePort,
  portName
} from '../../model/layers/ports.ts'
import { maxLoraRank } from '../limits.ts'

/** A tensor as its header describes it. */
export interface Shaped {
  readonly dtype: string
  readonly shape: readonly number[]
}
export type NamedShapes = Readonly<Record<string, Shaped>>

type Model = Pick<Checkpoint, 'config' | 'family'>

/** A number: exactly this size. A name: 1 to `most`, chosen by the request. */
type Size = number | { readonly name: string; readonly most: number }

const invalid = (message: string): never => {
  throw new SwarmError('INVALID_ARGUMENT', message)
}

const sitesOf = ({ config, family }: Model): PortSites => ({
  modulesOf: block => family.portModules(config, block),
  biasesOf: block => family.blockBiases(config, block),
  normsOf: block => family.blockNorms(config, block)
})

function expectedShape(port: ParsedPort, { config, family }: Model): readonly Size[] {
  const tokens = { name: 'tokens', most: config.maxPositions }
  if (port.kind === 'prompt') return [tokens, config.hiddenSize]
  if (port.kind === 'prefix') return [tokens, config.numKeyValueHeads, config.headDim]
  const { kind, block, module } = port
  const sites = sitesOf({ config, family })
  const vectors = kind === 'bias' ? biasPlaces(sites, block) : kind === 'norm' ? sites.normsOf(block) : null
  if (vectors !== null) return [vectors.find(({ name }) => name === module)!.size]
  const site = family.portModules(config, block).find(({ name }) => name === module)!
  return modulePortShape(port, site).map(size =>
    typeof size === 'number' ? size : { name: 'rank', most: maxLoraRank }
  )
}

const matches = (size: Size, found: number | undefined): boolean =>
  typeof size === 'number' ? found === size : found !== undefined && found >= 1 && found <= size.most

/** What describes a tensor that does not fit: `float32 [rank (1 to 4096), 2048]`. */
function describeShape(sizes: readonly Size[]): string {
  return `float32 [${sizes.map(size => (typeof size === 'number' ? size : `${size.name} (1 to ${size.most})`)).join(', ')}]`
}

/**
 * The ports of a request: all its tensors but the reserved ones.
 * @throws SwarmError INVALID_ARGUMENT with the tensor's name, what was expected and what was found
 */
export function checkPorts<T extends Shaped>(
  tensors: Readonly<Record<string, T>>,
  reserved: readonly string[],
  model: Model,
  blocks: BlockRange
): Record<string, Extract<T, Float32Tensor>> {
  const entries = Object.entries(tensors).filter(([name]) => !reserved.includes(name))
  const names = entries.map(([name]) => name)
  groupPorts(names, blocks, sitesOf(model))
  for (const [name, { dtype, shape }] of entries) {
    const expected = expectedShape(parsePort(name), model)
    const fits = shape.length === expected.length && expected.every((size, axis) => matches(size, shape[axis]))
    if (dtype !== 'float32' || !fits) {
      invalid(`port '${name}': expected ${describeShape(expected)}, found ${dtype}[${shape}]`)
    }
  }
  const ports = Object.fromEntries(entries) as Record<string, Extract<T, Float32Tensor>>
  checkRanks(names, ports)
  for (const kind of ['prompt', 'prefix'] as const) checkLengths(kind, ports, blocks)
  return ports
}

/** A and B of a pair have one rank, and a Hadamard product, whose rank is the product of two, no higher one than a single pair. */
function checkRanks(names: readonly string[], ports: NamedShapes): void {
  for (const name of names) {
    const { kind, part = '' } = parsePort(name)
    if (part === 'A1') {
      const second = name.replace(/A1$/, 'A2')
      const rank = ports[name]!.shape[0]! * ports[second]!.shape[0]!
      if (rank > maxLoraRank)
        invalid(`port '${name}': expected ranks whose product is 1 to ${maxLoraRank}, found ${rank}`)
    }
    if (!changesModules(kind) || !/A\d?$/.test(part)) continue
    const b = name.slice(0, -part.length) + part.replace('A', 'B')
    const [rankOfA, rankOfB] = [ports[name]!.shape[0], ports[b]!.shape[1]]
    if (rankOfA !== rankOfB) invalid(`port '${name}': expected one rank in A and B, found ${rankOfA} and ${rankOfB}`)
  }
}

/** Prompts are of one length; prefixes too, and they shift the positions of all blocks, so that every block has one. */
function checkLengths(kind: 'prompt' | 'prefix', ports: NamedShapes, blocks: BlockRange): void {
  const names = Object.keys(ports).filter(name => parsePort(name).kind === kind)
  const lengths = [...new Set(names.map(name => ports[name]!.shape[0]!))]
  if (lengths.length > 1) invalid(`${kind}: expected one length in all blocks, found ${lengths.join(', ')}`)
  if (kind !== 'prefix' || names.length === 0) return
  for (let block = blocks.first; block < blocks.end; block++) {
    const name = portName.prefix(block, 'key')
    if (!names.includes(name)) invalid(`prefix: expected one in every block of the span, '${name}' is missing`)
  }
}

/** Numbers beside hidden states that the products of factors make for each token. */
export interface FactorNumbers {
  /** of the module that makes the most */
  readonly most: number
  /** of all modules */
  readonly all: number
}

/**
 * A product with a Kronecker factor from one side has for each column of the other factor a row: up to the square of a module's width.
 * Those of other ports are no wider than the module, or than the highest rank.
 */
export function factorNumbers(ports: NamedShapes, { config, family }: Model): FactorNumbers {
  const modules = new Map<string, number>()
  for (const [name, { shape }] of Object.entries(ports)) {
    const port = parsePort(name)
    if (port.kind !== 'kronecker') continue
    const { block, module, part, sizes } = port
    const [rows, columns] = sizes!
    const { outFeatures } = family.portModules(config, block).find(site => site.name === module)!
    const inner = outFeatures / rows
    const numbers = {
      // before and behind the transposition
      right: 2 * columns * inner,
      rightA: columns * shape[0]!,
      rightB: 2 * columns * inner,
      leftA: inner * shape[0]!
    }[part as string]
    const key = `${block} ${module}`
    modules.set(key, (modules.get(key) ?? 0) + (numbers ?? 0))
  }
  const each = [...modules.values()]
  return { most: Math.max(0, ...each), all: each.reduce((sum, numbers) => sum + numbers, 0) }
}
