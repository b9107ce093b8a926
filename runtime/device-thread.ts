// The device thread's side: carries out one request after the other.
import { parentPort } from 'node:worker_threads'
import { toSwarmError } from '../common/errors.ts'
import type { DeviceAnswer, DeviceMessage } from './device-protocol.ts'
import { InlineDevice } from './ort.ts'
import { ownBuffers } from './transfer.ts'

const device = new InlineDevice()
const port = parentPort!

let last: Promise<void> = Promise.resolve()

port.on('message', ({ id, request }: DeviceMessage) => {
  last = last.then(async () => {
    try {
      const result = await device.request(request)
      const transfer = 'outputs' in result ? ownBuffers(Object.values(result.outputs)) : []
      port.postMessage({ id, result } satisfies DeviceAnswer, transfer)
    } catch (error) {
      const { code, message } = toSwarmError(error)
      port.postMessage({ id, error: { code, message } } satisfies DeviceAnswer)
    }
  })
})
