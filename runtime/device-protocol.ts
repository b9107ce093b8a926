// The messages between the calling thread and the device thread.
import type { ErrorCode } from '../common/errors.ts'
import type { Tensor } from '../common/tensor.ts'

/** Output of models whose others are written in place: no tensor, and so the binding's last. */
export const unreturned = 'unreturned'

/** How a session is set up; plain data, since it crosses threads. */
export interface OrtOptions {
  readonly provider: string
  /** threads that share one operator's work */
  readonly threads: number
  /** leave weights mapped from their file instead of rearranging a copy of them in memory */
  readonly mapped: boolean
  /** folder of the weights' files */
  readonly folder?: string
  /** runs write all outputs into given tensors, and the model has the output `unreturned` before them */
  readonly inPlace: boolean
  /** write the model there, with its weights and their rearranged copies (`savedModel`), instead of keeping a session to run */
  readonly saveTo?: string
}

/** What a session that is saved leaves in its folder. */
export const savedModel = { model: 'saved.onnx', weights: 'saved.weights' } as const

export interface RunRequest {
  readonly kind: 'run'
  readonly session: number
  readonly feeds: Readonly<Record<string, Tensor>>
  /** null: the runtime allocates it */
  readonly fetches: Readonly<Record<string, Tensor | null>>
}

export type DeviceRequest =
  | { readonly kind: 'create'; readonly model: Uint8Array; readonly options: OrtOptions }
  | RunRequest
  | { readonly kind: 'release'; readonly session: number }
  /** of garbage; means nothing where the calling thread computes itself */
  | { readonly kind: 'collect' }

export type DeviceResult = { readonly session: number } | { readonly outputs: Record<string, Tensor> } | object

export interface DeviceMessage {
  readonly id: number
  readonly request: DeviceRequest
}

export type DeviceAnswer =
  | { readonly id: number; readonly result: DeviceResult }
  | { readonly id: number; readonly error: { readonly code: ErrorCode; readonly message: string } }

/** Whatever can carry out requests: the device thread, or the calling thread itself. */
export interface Device {
  /** @param consume names of feeds whose memory the caller gives away instead of having it copied */
  request(request: DeviceRequest, consume?: readonly string[]): Promise<DeviceResult>
}
