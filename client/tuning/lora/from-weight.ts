// First values of adapters that are computed from the weights under them: singular vectors and QR decompositions
// (peft/tuners/lora/layer.py). PEFT subtracts the adapter's product from the weight. Servers keep their weights: a `base` port
// subtracts it.
import { SwarmError } from '../../../common/errors.ts'
import { type DataOf, type Float32Tensor, float32 } from '../../../common/tensor.ts'
import { quantizationOf } from '../../../model/quantize/precision.ts'
import { dequantize, quantize } from '../../../model/quantize/quantize.ts'
import { transpose } from '../../local/changed-weight.ts'
import type { TuningTarget } from '../method.ts'
import type { TargetModule } from '../targets.ts'
import type { LoraSettings } from './config.ts'
import { largestPart, orthogonalPart, smallestLeft } from './decompose.ts'

/** First values of a module's adapter. */
export interface InitialAdapter {
  /** [rank, in] */
  readonly a: DataOf<'float32'>
  /** [out, rank] */
  readonly b: DataOf<'float32'>
  /** whether the adapter's first product is subtracted from the weight, so that the model computes what it did */
  readonly takesOut: boolean
  /** the weight that servers hold, [out, in], where that is not the checkpoint's */
  readonly held?: Float32Tensor
}

/** The weight of a module, [out, in]. Throws INTERNAL where the checkpoint cannot be read. */
export async function weightOf(
  { block, module }: TargetModule,
  target: TuningTarget,
  options: { signal?: AbortSignal }
): Promise<Float32Tensor> {
  if (target.readWeight === undefined) throw new SwarmError('INTERNAL', 'weights: the checkpoint cannot be read')
  const name = module.tensor?.replace(/\.weight$/, '') ?? module.name
  const weight = await target.readWeight(block, name, options)
  return module.transposed || module.isEmbedding ? transpose(weight) : weight
}

/** U sqrt(S) and sqrt(S) V, with the singular values divided by the scaling. */
function balanced(weight: Float32Tensor, r: number, scaling: number): Pick<InitialAdapter, 'a' | 'b'> {
  const { u, s, v } = largestPart(weight, r)
  const columns = weight.shape[1]!
  const roots = Float64Array.from(s, value => Math.sqrt(value / scaling))
  return {
    a: Float32Array.from(v, (value, index) => value * roots[Math.floor(index / columns)]!),
    b: Float32Array.from(u, (value, index) => value * roots[index % r]!)
  }
}

/** A weight as servers of this precision hold it. Throws INVALID_ARGUMENT where servers would not round it. */
function heldIn(weight: Float32Tensor, { path, module }: TargetModule, bits: 4 | 8): Float32Tensor {
  const [rows, columns] = weight.shape as [number, number]
  const how = quantizationOf(bits === 4 ? 'int4' : 'int8', { rows, columns }, module)
  if (how === null) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `initLoraWeights: 'loftq': servers keep ${path} [${rows}, ${columns}] in float32, which loses nothing (leave it out with excludeModules)`
    )
  }
  return float32([rows, columns], dequantize(quantize(weight.data, { rows, columns }, how), { rows, columns }, how))
}

/** First values of a module's adapter from its weight [out, in]. Throws INVALID_ARGUMENT for a rank that the weight does not have. */
export function initialAdapter(
  weight: Float32Tensor,
  { target, r, scaling, settings }: { target: TargetModule; r: number; scaling: number; settings: LoraSettings }
): InitialAdapter {
  const { initLoraWeights: init, loftqConfig } = settings
  const [rows, columns] = weight.shape as [number, number]
  if (r > Math.min(rows, columns)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `initLoraWeights: '${init}' begins from the weight's own vectors: ${target.path} [${rows}, ${columns}] has ${Math.min(rows, columns)}, found rank ${r}`
    )
  }
  if (!(scaling > 0)) {
    throw new SwarmError('INVALID_ARGUMENT', `initLoraWeights: '${init}' needs loraAlpha above 0 (${target.path})`)
  }
  if (init === 'olora') {
    const part = orthogonalPart(weight, r)
    return { a: Float32Array.from(part.r), b: Float32Array.from(part.q), takesOut: true }
  }
  if (init === 'mica') {
    return { a: new Float32Array(r * columns), b: Float32Array.from(smallestLeft(weight, r)), takesOut: false }
  }
  if (init === 'loftq') {
    const held = heldIn(weight, target, loftqConfig!.loftqBits)
    const lost = float32(
      weight.shape,
      weight.data.map((value, index) => value - held.data[index]!)
    )
    return { ...balanced(lost, r, scaling), takesOut: false, held }
  }
  return { ...balanced(weight, r, scaling), takesOut: true }
}

/** Norms of the rows of W + B A, [out]: first values of magnitudes. */
export function rowNorms(
  weight: Float32Tensor,
  changes: readonly { a: DataOf<'float32'>; b: DataOf<'float32'>; factor: number }[]
): DataOf<'float32'> {
  const [rows, columns] = weight.shape as [number, number]
  const norms = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    const values = Float64Array.from(weight.data.subarray(row * columns, (row + 1) * columns))
    for (const { a, b, factor } of changes) {
      const rank = a.length / columns
      for (let k = 0; k < rank; k++) {
        const weighted = factor * b[row * rank + k]!
        if (weighted === 0) continue
        for (let column = 0; column < columns; column++) values[column]! += weighted * a[k * columns + column]!
      }
    }
    norms[row] = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  }
  return norms
}
