// The device thread as the rest of the process sees it. ONNX Runtime's calls block their thread for as long as they compute;
// on a thread of their own they leave streams, pings and timers alone.

import { Worker } from 'node:worker_threads'
import { settled } from '../common/async.ts'
import { messageOf, SwarmError } from '../common/errors.ts'
import type { Device, DeviceAnswer, DeviceMessage, DeviceRequest, DeviceResult } from './device-protocol.ts'
import { InlineDevice } from './ort.ts'
import { packRun } from './transfer.ts'

interface Pending {
  resolve(result: DeviceResult): void
  reject(error: Error): void
}

class DeviceThread implements Device {
  readonly #worker = new Worker(
    new URL(`./device-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
    { execArgv: [] } // flags such as --input-type are for the main program only
  )
  readonly #pending = new Map<number, Pending>()
  readonly #onEnd: () => void
  /** why nothing more can be asked */
  #ended: SwarmError | null = null
  #next = 0

  /** @param onEnd called when the thread has ended, so that the next session starts another */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
    this.#worker.unref()
    this.#worker.on('message', (answer: DeviceAnswer) => {
      const pending = this.#pending.get(answer.id)
      this.#pending.delete(answer.id)
      if (this.#pending.size === 0) this.#worker.unref()
      if ('error' in answer) pending?.reject(new SwarmError(answer.error.code, answer.error.message))
      else pending?.resolve(answer.result)
    })
    this.#worker.on('error', error => this.#end(error))
    this.#worker.on('exit', () => this.#end(new Error('ended')))
  }

  async request(request: DeviceRequest, consume: readonly string[] = []): Promise<DeviceResult> {
    if (this.#ended !== null) throw this.#ended
    const packed = request.kind === 'run' ? packRun(request, consume) : { request, transfer: [] }
    const id = ++this.#next
    this.#worker.postMessage({ id, request: packed.request } satisfies DeviceMessage, packed.transfer)
    this.#worker.ref() // keeps the process alive while a caller waits
    return await new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  #end(cause: unknown): void {
    if (this.#ended !== null) return
    this.#ended = new SwarmError('INTERNAL', `device thread: ${messageOf(cause)}`, { cause })
    this.#onEnd()
    for (const pending of this.#pending.values()) pending.reject(this.#ended)
    this.#pending.clear()
  }
}

/** Of the process: one thread computes for all models, since they share the cores anyway. */
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

/** The device thread, where there is one, collects its garbage when what it was asked before is done. */
export function collectOnThread(): void {
  // one that has ended has none
  if (thread) void settled(thread.request({ kind: 'collect' }))
}
