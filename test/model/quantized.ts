// Runs graphs over quantized weights, and over the numbers that these stand for.
import type { TestContext } from 'node:test'
import { float32 } from '../../common/tensor.ts'
import type { Graph } from '../../graph/graph.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint/checkpoint.ts'
import type { LinearModule } from '../../model/family.ts'
import { matrixSizes, quantizationOf } from '../../model/quantize/precision.ts'
import { dequantize, quantize } from '../../model/quantize/quantize.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { getPacker } from '../../runtime/packer.ts'
import { createSession } from '../../runtime/session.ts'
import type { Tensors } from './spans.ts'
import { temporaryFolder } from './support.ts'

/** Runs float32 graphs whose matrices are inputs, fed with the numbers that quantized ones stand for. */
export function dequantizedRunner(checkpoint: Checkpoint, precision: 'int8' | 'int4') {
  const { family, config } = checkpoint
  const modules = new Map<string, LinearModule>(
    Array.from({ length: config.numBlocks }, (_, block) =>
      family
        .portModules(config, block)
        .map(module => [`${family.moduleWeightName(config, block, module.name)}.weight`, module] as const)
    ).flat()
  )
  return async (graph: Graph, all: Tensors): Promise<Tensors> => {
    const asInputs = { ...graph, weights: [], inputs: [...graph.inputs, ...graph.weights] }
    const known: Tensors = { ...all }
    for (const { name } of graph.weights) {
      const tensor = await readTensor(checkpoint, name)
      const module = modules.get(name)
      const sizes = module && matrixSizes(tensor, module.transposed)
      const how = sizes && quantizationOf(precision, sizes, module)
      if (!how) {
        known[name] = tensor
        continue
      }
      const { transposed } = module!
      const data = dequantize(quantize(tensor.data, sizes, how, { transposed }), sizes, how)
      const { rows, columns } = sizes
      const stored = (i: number): number => data[(i % rows) * columns + Math.floor(i / rows)]!
      known[name] = float32(tensor.shape, transposed ? data.map((_, i) => stored(i)) : data)
    }
    await using session = await createSession(asInputs, { threads: 1, inline: true })
    return await session.run(Object.fromEntries(asInputs.inputs.map(({ name }) => [name, known[name]!])))
  }
}

/** Runs graphs over quantized files: those of decode steps with their rearranged copies. */
export async function quantizedRunner(context: TestContext, checkpoint: Checkpoint, precision: 'int8' | 'int4') {
  const cacheDir = await temporaryFolder(context)
  const range = { first: 0, end: checkpoint.config.numBlocks }
  const weights = await blockWeights(checkpoint, range, { cacheDir, precision, packer: getPacker() })
  return async (graph: Graph, all: Tensors, outputs?: Tensors): Promise<Tensors> => {
    const storage = graph.name.startsWith('decode') ? 'prepacked' : 'mapped'
    const init = { folder: weights.folder, weights: weights.locate, storage, threads: 1, inline: true } as const
    await using session = await createSession(graph, init)
    return await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]!])), { outputs })
  }
}
