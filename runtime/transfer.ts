// How tensors get from one thread to another: shared memory as it is, memory that one side gives up without a copy, all else
// copied, and of a buffer that holds more than the tensor only the tensor's part.
import workerThreads from 'node:worker_threads'
import { SwarmError } from '../common/errors.ts'
import type { Tensor } from '../common/tensor.ts'
import type { RunRequest } from './device-protocol.ts'

/** The buffers that one thread alone holds, each once: they can go over without a copy. */
export function ownBuffers(tensors: Iterable<Tensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const { data } of tensors) {
    if (data.buffer instanceof ArrayBuffer && !workerThreads.isMarkedAsUntransferable(data.buffer))
      buffers.add(data.buffer)
  }
  return [...buffers]
}

/** A request as it is posted, and the buffers that go with it. @throws SwarmError INVALID_ARGUMENT for an output in memory that is not shared */
export function packRun(
  request: RunRequest,
  consume: readonly string[]
): { request: RunRequest; transfer: ArrayBuffer[] } {
  for (const [name, given] of Object.entries(request.fetches)) {
    if (given === null || given.data.buffer instanceof SharedArrayBuffer) continue
    throw new SwarmError('INVALID_ARGUMENT', `output ${name}: expected shared memory to write into (see sharedTensor)`)
  }
  const transfer = new Set(ownBuffers(consume.map(name => request.feeds[name]!)))
  const feeds: Record<string, Tensor> = {}
  for (const [name, feed] of Object.entries(request.feeds)) {
    const { data } = feed
    const isPart = data.buffer instanceof ArrayBuffer && data.byteLength < data.buffer.byteLength
    if (!isPart || transfer.has(data.buffer as ArrayBuffer)) {
      feeds[name] = feed
    } else {
      const copy = data.slice()
      transfer.add(copy.buffer as ArrayBuffer)
      feeds[name] = { ...feed, data: copy }
    }
  }
  return { request: { ...request, feeds }, transfer: [...transfer] }
}
