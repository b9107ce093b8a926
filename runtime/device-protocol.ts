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
  /** @param transfer buffers of the request that the caller gives away instead of having them copied */
  request(request: DeviceRequest, transfer?: readonly ArrayBuffer[]): Promise<DeviceResult>
}

/** The buffers that one thread alone holds, each once: they can go over without a copy. Shared ones need not go at all. */
export function ownBuffers(tensors: readonly Tensor[]): ArrayBuffer[] {
  const buffers = tensors.map(({ data }) => data.buffer)
  return [...new Set(buffers.filter(buffer => buffer instanceof ArrayBuffer))]
}
