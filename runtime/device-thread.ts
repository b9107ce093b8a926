// The device thread's side: carries out one request after the other.
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../common/errors.ts'
import { type DeviceAnswer, type DeviceMessage, ownBuffers } from './device-protocol.ts'
import { InlineDevice } from './ort.ts'

const device = new InlineDevice()
const port = parentPort!

let last: Promise<void> = Promise.resolve()

port.on('message', ({ id, request }: DeviceMessage) => {
  last = last.then(async () => {
    try {
      const result = await device.request(request)
      port.postMessage(
        { id, result } satisfies DeviceAnswer,
        'outputs' in result ? ownBuffers(Object.values(result.outputs)) : []
      )
    } catch (error) {
      port.postMessage({ id, error: messageOf(error) } satisfies DeviceAnswer)
    }
  })
})
