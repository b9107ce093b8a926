// The device thread's side: carries out one request after the other.
import { parentPort } from 'node:worker_threads'
import { toSwarmError } from '../common/errors.ts'
import type { DeviceAnswer, DeviceMessage, DeviceRequest } from './device-protocol.ts'
import { collectGarbage } from './garbage.ts'
import { InlineDevice } from './ort.ts'
import { ownBuffers } from './transfer.ts'

const device = new InlineDevice()
const port = parentPort!

/**
 * Copied or transferred feeds belong to this thread alone: their memory is freed now, not at V8's next garbage
 * collection.
 */
function freeFeeds(request: DeviceRequest): void {
  if (request.kind !== 'run') return
  for (const buffer of ownBuffers(Object.values(request.feeds))) buffer.transfer(0)
}

/** Of this thread, which does one request at a time. */
let last: Promise<void> = Promise.resolve()

port.on('message', ({ id, request }: DeviceMessage) => {
  last = last.then(async () => {
    try {
      const result = await device.request(request)
      freeFeeds(request)
      if (request.kind === 'collect') collectGarbage()
      const transfer = 'outputs' in result ? ownBuffers(Object.values(result.outputs)) : []
      port.postMessage({ id, result } satisfies DeviceAnswer, transfer)
    } catch (error) {
      const { code, message } = toSwarmError(error)
      port.postMessage({ id, error: { code, message } } satisfies DeviceAnswer)
    }
  })
})
