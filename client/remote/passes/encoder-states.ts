// The hidden states of an encoder, as the blocks of a decoder attend to them.
import { SwarmError } from '../../../common/errors.ts'
import { rowsOf } from '../../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../../common/tensor.ts'
import type { NamedTensors } from '../../../proto/frame.ts'
import { tokensFinite } from './finite.ts'

/** What leaves an encoder, its last norm included. */
export interface EncoderStates {
  /** [inputs, source, hidden]; in a generation each input may be that of several rows, one after the other */
  readonly hidden: Float32Tensor
  /** int64 [inputs, source], 1 = token, 0 = padding; absent: all are tokens */
  readonly mask?: Tensor<'int64'>
}

/** The tensors of a request whose blocks attend to them; none without an encoder. */
export function encoderTensors(encoder: EncoderStates | undefined): NamedTensors {
  if (encoder === undefined) return {}
  return { encoder_hidden: encoder.hidden, ...(encoder.mask && { encoder_mask: encoder.mask }) }
}

/** Of the inputs `first` to `end - 1`. */
export function encoderRows({ hidden, mask }: EncoderStates, first: number, end: number): EncoderStates {
  return { hidden: rowsOf(hidden, first, end), ...(mask && { mask: rowsOf(mask, first, end) }) }
}

/** Of each of `batch` rows, which several may share: row i attends to input `floor(i * inputs / batch)`. */
export function encoderOfRows({ hidden, mask }: EncoderStates, batch: number): EncoderStates {
  const inputs = hidden.shape[0]!
  if (inputs === batch) return { hidden, ...(mask && { mask }) }
  const rows = Array.from({ length: batch }, (_, row) => Math.floor((row * inputs) / batch))
  const states = tensor('float32', [batch, ...hidden.shape.slice(1)])
  const masks = mask && tensor('int64', [batch, mask.shape[1]!])
  for (const [row, input] of rows.entries()) {
    const { data } = rowsOf(hidden, input, input + 1)
    states.data.set(data, row * data.length)
    if (mask && masks) masks.data.set(rowsOf(mask, input, input + 1).data, row * mask.shape[1]!)
  }
  return { hidden: states, ...(masks && { mask: masks }) }
}

/** The sum of the encoder's gradients of two spans; undefined where neither has one. */
export function addEncoderGradients(
  one: Float32Tensor | undefined,
  other: Float32Tensor | undefined
): Float32Tensor | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const sum = tensor('float32', one.shape)
  for (let index = 0; index < sum.data.length; index++) sum.data[index] = one.data[index]! + other.data[index]!
  return sum
}

/** Whether a gradient of the encoder's states is finite at its tokens; padding is ignored. */
export function encoderGradientFinite(gradient: Float32Tensor | undefined, mask: Tensor<'int64'> | undefined): boolean {
  if (gradient === undefined) return true
  return tokensFinite(gradient, (row, place) => mask === undefined || mask.data[row * mask.shape[1]! + place] === 1n)
}

/**
 * @param expected inputs: exactly that many, or a number that divides it where rows may share an input
 * @throws INVALID_ARGUMENT for shapes that do not fit together
 */
export function checkEncoder(
  { hidden, mask }: EncoderStates,
  { batch, hiddenSize, shared }: { readonly batch: number; readonly hiddenSize: number; readonly shared: boolean }
): void {
  const [inputs = 0, source, width] = hidden.shape
  const fits = inputs > 0 && (shared ? batch % inputs === 0 : inputs === batch)
  if (hidden.shape.length !== 3 || !fits || !source || width !== hiddenSize) {
    const rows = shared ? `a divisor of ${batch}` : batch
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `encoder.hidden: expected [${rows}, source, ${hiddenSize}], found [${hidden.shape}]`
    )
  }
  if (mask !== undefined && mask.shape.join() !== [inputs, source].join()) {
    throw new SwarmError('INVALID_ARGUMENT', `encoder.mask: expected [${inputs}, ${source}], found [${mask.shape}]`)
  }
}
