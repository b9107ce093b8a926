// The place and the encoding of a checkpoint's tensor. Knows no file formats and reads nothing.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import type { DType } from '../../common/tensor.ts'

/** How the bytes of a tensor become float32 where that is more than its element type says. All fields add up. */
export interface TensorEncoding {
  /** a quantization of GGUF: `Q4_K`; elements come in blocks along the innermost axis */
  readonly quantization?: string
  /** elements from one index of each axis to the next, where the tensor is not dense; `length` spans first to last element */
  readonly strides?: readonly number[]
  /** number of heads whose rotary halves are stored interleaved */
  readonly interleavedHeads?: number
  /** added to every stored value */
  readonly add?: number
}

export interface TensorInfo {
  readonly name: string
  /** of the stored elements; of the decoded ones where they are quantized */
  readonly dtype: DType
  readonly shape: readonly number[]
  /** absolute path */
  readonly file: string
  /** bytes from the start of the file */
  readonly offset: number
  readonly length: number
  /** absent: dense, little endian, row-major elements of `dtype` */
  readonly encoding?: TensorEncoding
  /** scale of the elements */
  readonly scale?: TensorScale
}

/** How a tensor is scaled. */
export interface TensorScale {
  readonly tensor: TensorInfo
  /** rows and columns that share a number of it */
  readonly block: readonly [rows: number, columns: number]
}

/** Records what was read from a checkpoint's files: shows that no peer reads tensors that it does not need. */
export interface ReadLog {
  /** bytes of headers and tensors that were read */
  bytesRead: number
  /** tensors whose data was read, in whole or in part */
  readonly tensorsRead: Set<string>
  /** tensors that a session maps from the checkpoint's own files */
  readonly tensorsMapped: Set<string>
}

/** Axes of a tensor; PyTorch has no more. */
export const maxTensorRank = 64

const maxNameLength = 500

/** Throws BAD_CHECKPOINT for a name that no tensor has and that a message could not show on one line. */
export function checkTensorName(name: string, file: string): void {
  if (name.length <= maxNameLength && !/\p{Cc}/u.test(name)) return
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${file}: a tensor's name: expected at most ${maxNameLength} characters, none of them a control character, found ${quoteForeign(name)}`
  )
}
