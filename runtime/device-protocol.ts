// What the calling thread and the device thread say to each other.
import type { Tensor } from '../common/tensor.ts'

/** How a session is set up; plain data, since it crosses threads. */
export interface OrtOptions {
  readonly provider: string
  /** threads that share one operator's work */
  readonly threads: number
  /** leave weights mapped from their file instead of rearranging a copy of them in memory */
  readonly mapped: boolean
  /** folder of the weights' files */
  readonly folder?: string
}

export type DeviceRequest =
  | { readonly kind: 'create'; readonly model: Uint8Array; readonly options: OrtOptions }
  | {
      readonly kind: 'run'
      readonly session: number
      readonly feeds: Record<string, Tensor>
      /** null: the runtime allocates it */
      readonly fetches: Record<string, Tensor | null>
    }
  | { readonly kind: 'release'; readonly session: number }

export type DeviceResult = { readonly session: number } | { readonly outputs: Record<string, Tensor> } | object

export interface DeviceMessage {
  readonly id: number
  readonly request: DeviceRequest
}

export type DeviceAnswer =
  | { readonly id: number; readonly result: DeviceResult }
  | { readonly id: number; readonly error: string }

/** Whatever can carry out requests: the device thread, or the calling thread itself. */
export interface Device {
  request(request: DeviceRequest): Promise<DeviceResult>
}
