// Validates the trained tensors of a request: known names, complete pairs, blocks of the span, sizes of the module.
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { groupPorts, type ParsedPort, parsePort, portName } from '../../model/layers/ports.ts'
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

function expectedShape(port: ParsedPort, { config, family }: Model): readonly Size[] {
  const tokens = { name: 'tokens', most: config.maxPositions }
  if (port.kind === 'prompt') return [tokens, config.hiddenSize]
  if (port.kind === 'prefix') return [tokens, config.numKeyValueHeads, config.headDim]
  if (port.kind === 'bias') {
    return [family.blockBiases(config, port.block).find(({ name }) => name === port.module)!.size]
  }
  const { inFeatures, outFeatures } = family.portModules(config, port.block).find(({ name }) => name === port.module)!
  if (port.kind === 'scale') return [port.part === 'input' ? inFeatures : outFeatures]
  if (port.part === 'magnitude') return [outFeatures]
  const rank = { name: 'rank', most: maxLoraRank }
  return port.part === 'A' ? [rank, inFeatures] : [outFeatures, rank]
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
  const { config, family } = model
  groupPorts(names, blocks, {
    modulesOf: block => family.portModules(config, block),
    biasesOf: block => family.blockBiases(config, block)
  })
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

/** A and B of a module have one rank. */
function checkRanks(names: readonly string[], ports: NamedShapes): void {
  for (const name of names) {
    const { kind, part, block, module } = parsePort(name)
    if ((kind !== 'lora' && kind !== 'base') || part !== 'A') continue
    const b = portName[kind](block, module!, 'B')
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
