// The hidden states of an encoder, as the blocks of a decoder attend to them.
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'

/** What leaves an encoder, its last norm included. */
export interface EncoderStates {
  /** [inputs, source, hidden]; in a generation each input may be that of several rows, one after the other */
  readonly hidden: Float32Tensor
  /** int64 [inputs, source], 1 = token, 0 = padding; absent: all are tokens */
  readonly mask?: Tensor<'int64'>
}
