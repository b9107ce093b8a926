// Memory that every thread sees. V8 does not count it as memory: garbage of it, however much, makes no thread collect. So what is
// handed out is counted here, and both threads collect when it may be too much.
import { bytesOf, type DataOf, type DType, dtypes, sizeOf, type Tensor } from '../common/tensor.ts'
import { MiB } from '../common/units.ts'
import { collectOnThread } from './device.ts'
import { collectGarbage } from './garbage.ts'

/** bytes that may be garbage before it is collected */
const mostGarbage = 64 * MiB

/** Of the process, as the memory is: bytes that may be garbage, and whether a collection is due. */
let garbage = 0
let collecting = false

/** A tensor of zeros in memory that every thread sees: as a feed it is not copied, as an output it is written in place. */
export function sharedTensor<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  const bytes = bytesOf(dtype, shape)
  discarded(bytes) // it will be some day
  return view(dtype, shape, new SharedArrayBuffer(bytes))
}

/**
 * The same for large ones with little use, because only written pages take memory: tell `discarded` how much of it was
 * when it is dropped. V8 takes buffers that can grow from the system, page by page; others come from malloc, which
 * writes zeros over all that has been used before.
 */
export function reservedTensor<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  const bytes = bytesOf(dtype, shape)
  return view(dtype, shape, new SharedArrayBuffer(bytes, { maxByteLength: bytes }))
}

function view<D extends DType>(dtype: D, shape: readonly number[], buffer: SharedArrayBuffer): Tensor<D> {
  const View = dtypes[dtype].array as unknown as new (
    buffer: SharedArrayBuffer,
    at: number,
    length: number
  ) => DataOf<D>
  // with a length of its own, since an array that follows its buffer is slow
  return { dtype, shape, data: new View(buffer, 0, sizeOf(shape)) }
}

/** Counts bytes of unused shared memory. */
export function discarded(bytes: number): void {
  garbage += bytes
  if (garbage < mostGarbage || collecting) return
  collecting = true
  // not while other code is running
  setImmediate(() => {
    garbage = 0
    collecting = false
    collectGarbage()
    collectOnThread()
  })
}
