// The device thread's side: carries out one request after the other.
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../common/errors.ts'
import type { DeviceAnswer, DeviceMessage, DeviceResult } from './device-protocol.ts'
import { InlineDevice } from './ort.ts'

const device = new InlineDevice()
const port = parentPort!

/** Buffers that only this thread knows go over without a copy; shared ones are shared. */
function transferable(result: DeviceResult): ArrayBuffer[] {
  if (!('outputs' in result)) return []
  const buffers = Object.values(result.outputs).map(({ data }) => data.buffer)
  return [...new Set(buffers.filter(buffer => buffer instanceof ArrayBuffer))]
}

let last: Promise<void> = Promise.resolve()

port.on('message', ({ id, request }: DeviceMessage) => {
  last = last.then(async () => {
    try {
      const result = await device.request(request)
      port.postMessage({ id, result } satisfies DeviceAnswer, transferable(result))
    } catch (error) {
      port.postMessage({ id, error: messageOf(error) } satisfies DeviceAnswer)
    }
  })
})
