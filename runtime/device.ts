// The device thread as the rest of the process sees it. ONNX Runtime's calls block their thread for as long as they compute;
// on a thread of their own they leave streams, pings and timers alone.
import { Worker } from 'node:worker_threads'
import { SwarmError } from '../common/errors.ts'
import type { Device, DeviceAnswer, DeviceMessage, DeviceRequest, DeviceResult } from './device-protocol.ts'
import { InlineDevice } from './ort.ts'

interface Pending {
  resolve(result: DeviceResult): void
  reject(error: Error): void
}

class DeviceThread implements Device {
  readonly #worker = new Worker(
    new URL(`./device-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
  )
  readonly #pending = new Map<number, Pending>()
  readonly #onEnd: () => void
  #next = 0

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
    this.#worker.unref()
    this.#worker.on('message', (answer: DeviceAnswer) => {
      const pending = this.#pending.get(answer.id)
      this.#pending.delete(answer.id)
      if (this.#pending.size === 0) this.#worker.unref()
      if ('error' in answer) pending?.reject(new SwarmError('INTERNAL', answer.error))
      else pending?.resolve(answer.result)
    })
    this.#worker.on('error', error => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(new Error('the device thread ended')))
  }

  request(request: DeviceRequest, transfer: readonly ArrayBuffer[] = []): Promise<DeviceResult> {
    return new Promise((resolve, reject) => {
      const id = ++this.#next
      this.#pending.set(id, { resolve, reject })
      this.#worker.ref() // the process stays while somebody waits
      this.#worker.postMessage({ id, request } satisfies DeviceMessage, transfer)
    })
  }

  #fail(cause: Error): void {
    this.#onEnd()
    for (const pending of this.#pending.values()) {
      pending.reject(new SwarmError('INTERNAL', `device thread: ${cause.message}`, { cause }))
    }
    this.#pending.clear()
  }
}

let thread: DeviceThread | undefined
let inline: InlineDevice | undefined

/** The process's one device thread (all sessions share the cores anyway), or this thread. */
export function getDevice(where: 'thread' | 'inline'): Device {
  if (where === 'inline') {
    inline ??= new InlineDevice()
    return inline
  }
  thread ??= new DeviceThread(() => {
    thread = undefined
  })
  return thread
}
