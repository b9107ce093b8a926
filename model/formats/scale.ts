// Weights of 8 bits with scales beside them, as others have quantized them: one for the whole tensor, one for each row, or one for each
// block of rows and columns (DeepSeek-V3, section 3.3, which multiplies with what it names `weight_scale_inv`). Pure.

import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import { sizeOf } from '../../common/tensor.ts'
import { type RawConfig, readObject } from '../config/config.ts'
import type { TensorInfo, TensorScale } from './tensor-info.ts'

/** What files name the numbers that `<name>` is to be multiplied with. */
const endings = ['_scale_inv', '_scale']

/** Ways to quantize whose weights of 8 bits are read; the rounding of activations that they may ask for is left out. */
const methods = ['fp8', 'compressed-tensors']

const usualBlock = [128, 128] as const

/** Throws UNSUPPORTED for weights in an unsupported quantization format. */
export function checkQuantized(raw: RawConfig): void {
  const found = readObject(raw, 'quantization_config')
  if (found === undefined) return
  const { quant_method: method, format } = found
  const known = methods.includes(String(method)) && (method === 'fp8' || format === 'float-quantized')
  if (known) return
  const what = `quant_method ${quoteForeign(method ?? 'unknown')}${format === undefined ? '' : `, format ${quoteForeign(format)}`}`
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: quantization_config of ${what}: of quantized checkpoints only float8 is supported (quant_method "fp8", or "compressed-tensors" of format "float-quantized"): use the original weights`
  )
}

/** Rows and columns that share a scale in `weight_scale_inv`. Throws BAD_CHECKPOINT where they are no sizes. */
export function scaleBlockOf(raw: RawConfig): readonly [rows: number, columns: number] {
  const found = readObject(raw, 'quantization_config')?.weight_block_size ?? usualBlock
  const sound =
    Array.isArray(found) && found.length === 2 && found.every(size => Number.isSafeInteger(size) && size > 0)
  if (sound) return found as [number, number]
  const text = quoteForeign(found)
  throw new SwarmError('BAD_CHECKPOINT', `config.json: weight_block_size: expected rows and columns, found ${text}`)
}

function blockFor(
  { name, file, shape }: TensorInfo,
  scale: TensorInfo,
  block: readonly [number, number]
): readonly [number, number] {
  const [rows, columns] = shape.length === 2 ? (shape as [number, number]) : [1, sizeOf(shape)]
  const of = scale.shape.join()
  if (sizeOf(scale.shape) === 1) return [rows, columns]
  const blocks = [Math.ceil(rows / block[0]), Math.ceil(columns / block[1])].join()
  if (of === blocks) return block
  if (of === `${rows}` || of === `${rows},1`) return [1, columns]
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${file}: tensor '${scale.name}': expected one scale of '${name}' [${shape}], ${rows}, or [${blocks}] for blocks of ${block.join(' x ')}, found [${scale.shape}]`
  )
}

/** Whether a name is that of the scale of a tensor that `isTensor` knows. */
export function isScaleOf(name: string, isTensor: (name: string) => boolean): boolean {
  return endings.some(ending => name.endsWith(ending) && isTensor(name.slice(0, -ending.length)))
}

/** The tensor with its scale, where it is of 8 bits and has one. Throws BAD_CHECKPOINT for a scale that does not fit. */
export function withScale(
  info: TensorInfo,
  tensors: ReadonlyMap<string, TensorInfo>,
  block: readonly [number, number]
): TensorInfo {
  if (info.dtype !== 'float8e4m3fn') return info
  const found = endings.map(ending => info.name + ending).find(name => tensors.has(name))
  if (found === undefined) return info
  const tensor = tensors.get(found)!
  return { ...info, scale: { tensor, block: blockFor(info, tensor, block) } }
}

/** Multiplies a tensor of `shape` with its scales, in place. */
export function multiply(
  data: Float32Array,
  shape: readonly number[],
  scales: Float32Array,
  [rows, columns]: TensorScale['block']
): void {
  const width = shape.at(-1) ?? 1
  const perRow = Math.ceil(width / columns)
  for (let i = 0; i < data.length; i++) {
    const [row, column] = [Math.floor(i / width), i % width]
    data[i]! *= scales[Math.floor(row / rows) * perRow + Math.floor(column / columns)]!
  }
}
