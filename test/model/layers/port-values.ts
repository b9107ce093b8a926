// Ports of every kind with numbers in them, and gradients beside finite differences.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { BlockRange } from '../../../common/range.ts'
import { type Tensor, tensor } from '../../../common/tensor.ts'
import type { Checkpoint } from '../../../model/checkpoint/checkpoint.ts'
import { portName } from '../../../model/layers/ports.ts'
import { runBackward, runSpan, type Tensors } from '../spans.ts'
import { numbersOf, temporaryFolder } from '../support.ts'

/** Repeatable numbers in -1..1. */
function* noise(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (state * 1103515245 + 12345) % 2147483648
    yield state / 1073741824 - 1
  }
}

function dot(a: Tensor, b: Tensor): number {
  const other = numbersOf(b)
  return numbersOf(a).reduce((sum, value, i) => sum + value * other[i]!, 0)
}

function moved(x: Tensor, direction: Tensor, step: number): Tensor {
  const data = (x.data as Float32Array).map((value, i) => value + step * Number(direction.data[i]))
  return tensor('float32', x.shape, data as Float32Array<ArrayBuffer>)
}

/** Scales of every linear module of a block, around 1, and additions to its biases. */
export function vectorPorts({ family, config }: Checkpoint, block: number): Tensors {
  const numbers = noise(3)
  const vector = (size: number, mean: number) =>
    tensor(
      'float32',
      [size],
      Float32Array.from({ length: size }, () => mean + 0.3 * numbers.next().value!)
    )
  const scales = family
    .linearModules(config, block)
    .flatMap(({ name, inFeatures, outFeatures }) => [
      [portName.scale(block, name, 'input'), vector(inFeatures, 1)] as const,
      [portName.scale(block, name, 'output'), vector(outFeatures, 1)] as const
    ])
  const biases = family
    .blockBiases(config, block)
    .map(({ name, size }) => [portName.bias(block, name), vector(size, 0)])
  return Object.fromEntries([...scales, ...biases]) as Tensors
}

/** Factors of every kind for a block's linear modules, and additions to the weights of its norms. */
export function factorPorts({ family, config }: Checkpoint, block: number): Tensors {
  const numbers = noise(5)
  const filled = (shape: readonly number[], size: number, mean = 0) => {
    const made = tensor('float32', shape)
    for (let i = 0; i < made.data.length; i++) made.data[i] = mean + size * numbers.next().value!
    return made
  }
  const ports: Record<string, Tensor> = {}
  for (const { name, inFeatures, outFeatures } of family.linearModules(config, block)) {
    for (const [index, rank] of [2, 3].entries()) {
      const [a, b] = index === 0 ? (['A1', 'B1'] as const) : (['A2', 'B2'] as const)
      ports[portName.hadamard(block, name, a)] = filled([rank, inFeatures], 0.3)
      ports[portName.hadamard(block, name, b)] = filled([outFeatures, rank], 0.3)
    }
    const sizes = [outFeatures / 4, inFeatures / 8] as const
    ports[portName.kronecker(block, sizes, name, 'leftA')] = filled([2, sizes[1]], 0.2)
    ports[portName.kronecker(block, sizes, name, 'leftB')] = filled([sizes[0], 2], 0.3)
    ports[portName.kronecker(block, sizes, name, 'right')] = filled([4, 8], 0.3)
    const rotation = [inFeatures / 2, 2] as const
    for (const factor of [0, 1]) {
      ports[portName.rotation(block, rotation, name, factor)] = filled([...rotation, 2], 0.3, 0.5)
    }
    ports[portName.scale(block, name, 'product')] = filled([outFeatures], 0.3, 1)
  }
  for (const { name, size } of family.blockNorms(config, block)) {
    ports[portName.norm(block, name)] = filled([size], 0.2)
  }
  return ports
}

interface Slopes {
  readonly blocks: BlockRange
  readonly ports: readonly string[]
  /** inputs whose gradients are compared */
  readonly wanted: readonly string[]
  readonly feeds: Tensors
  readonly step: number
}

/** Each gradient times a direction is what the output moves by along that direction. */
export async function assertSlopes(context: TestContext, checkpoint: Checkpoint, slopes: Slopes): Promise<void> {
  const { blocks, ports, wanted, feeds, step } = slopes
  const graph = checkpoint.family.forwardSpan(checkpoint.config, { blocks, ports })
  const cacheDir = await temporaryFolder(context)
  const run = (part: typeof graph, all: Tensors) => runSpan(checkpoint, part, all, cacheDir)
  const gradients = await runBackward(graph, wanted, feeds, run)
  const objective = async (all: Tensors) => dot((await run(graph, all)).hidden_out!, feeds['grad.hidden_out']!)
  const numbers = noise(7)
  for (const name of wanted) {
    const value = feeds[name]!
    const direction = tensor('float32', value.shape)
    for (let i = 0; i < direction.data.length; i++) direction.data[i] = numbers.next().value as number
    const above = await objective({ ...feeds, [name]: moved(value, direction, step) })
    const below = await objective({ ...feeds, [name]: moved(value, direction, -step) })
    const slope = (above - below) / (2 * step)
    const expected = dot(gradients[`grad.${name}`]!, direction)
    const scale = Math.sqrt(dot(gradients[`grad.${name}`]!, gradients[`grad.${name}`]!))
    assert.ok(Math.abs(slope - expected) < 5e-3 * scale, `${name}: gradient ${expected}, difference ${slope}`)
  }
}
