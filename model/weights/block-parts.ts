// The content of a converted block's file: tensors in float32, or the parts of quantized ones.
import type { Float32Tensor } from '../../common/tensor.ts'
import { type Checkpoint, readTensor } from '../checkpoint/checkpoint.ts'
import type { ReadTensorOptions } from '../checkpoint/read-tensor.ts'
import type { ExpectedTensor } from '../family.ts'
import type { TensorSource } from '../formats/safetensors/file.ts'
import {
  type MatrixSizes,
  matrixSizes,
  type Precision,
  partName,
  partShapes,
  type Quantization,
  quantizationOf
} from '../quantize/precision.ts'
import { type QuantizedParts, quantize } from '../quantize/quantize.ts'

interface Quantizable extends Quantization {
  readonly sizes: MatrixSizes
  readonly transposed: boolean
}

function quantizable(
  checkpoint: Checkpoint,
  precision: Precision
): (tensor: ExpectedTensor, block: number) => Quantizable | null {
  const { config, family } = checkpoint
  return (tensor, block) => {
    const modules = family.portModules(config, block)
    const module = modules.find(({ name }) => `${family.moduleWeightName(config, block, name)}.weight` === tensor.name)
    // what is looked up or added stays float32, whatever its shape
    if (module === undefined) return null
    const transposed = module.transposed ?? false
    const sizes = matrixSizes(tensor, transposed)
    const quantization = sizes && quantizationOf(precision, sizes, module)
    return sizes && quantization && { sizes, ...quantization, transposed }
  }
}

/** One tensor's parts; it is quantized when the first of them is asked for. */
function quantizedSources(
  { name }: ExpectedTensor,
  { sizes, transposed, ...quantization }: Quantizable,
  read: () => Promise<Float32Tensor>
): TensorSource[] {
  let parts: Promise<QuantizedParts> | undefined
  const quantized = (): Promise<QuantizedParts> => {
    parts ??= read().then(({ data }) => quantize(data, sizes, quantization, { transposed }))
    return parts
  }
  return Object.entries(partShapes(sizes, quantization)).map(([part, shape]) => {
    const dtype = part === 'scales' ? ('float32' as const) : ('uint8' as const)
    const load = async () => ({ dtype, shape, data: (await quantized())[part as keyof QuantizedParts]! })
    return { name: partName(name, part), dtype, shape, load }
  })
}

/** The tensors of a block's file, with what makes them. */
export function blockParts(
  checkpoint: Checkpoint,
  block: number,
  precision: Precision,
  options: ReadTensorOptions = {}
): TensorSource[] {
  const { config, family } = checkpoint
  const quantizableOf = quantizable(checkpoint, precision)
  return family.blockTensors(config, block).flatMap((tensor): TensorSource[] => {
    const read = () => readTensor(checkpoint, tensor.name, options)
    const found = quantizableOf(tensor, block)
    if (found === null) return [{ ...tensor, dtype: 'float32', load: read }]
    return quantizedSources(tensor, found, read)
  })
}
