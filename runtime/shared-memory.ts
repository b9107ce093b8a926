// Memory that every thread sees. V8 does not count it as memory: garbage of it, however much, makes no thread collect. So what is
// handed out is counted here, and both threads collect when it may be too much.
import { bytesOf, type DataOf, type DType, dtypes, type Tensor } from '../common/tensor.ts'
import { MiB } from '../common/units.ts'
import { collectOnThread } from './device.ts'
import { collectGarbage } from './garbage.ts'

/** bytes that may be garbage before it is collected */
const mostGarbage = 64 * MiB

let garbage = 0
let collecting = false

/** A tensor of zeros in memory that every thread sees: as a feed it is not copied, as an output it is written in place. */
export function sharedTensor<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  discarded(bytesOf(dtype, shape)) // it will be some day
  return reservedTensor(dtype, shape)
}

/** The same for large ones of which little is used, since only what is written takes memory: tell `discarded` when it is dropped. */
export function reservedTensor<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  const View = dtypes[dtype].array as unknown as new (buffer: SharedArrayBuffer) => DataOf<D>
  return { dtype, shape, data: new View(new SharedArrayBuffer(bytesOf(dtype, shape))) }
}

/** Counts bytes of shared memory that nobody uses any more. */
export function discarded(bytes: number): void {
  garbage += bytes
  if (garbage < mostGarbage || collecting) return
  collecting = true
  // not in the midst of somebody's work
  setImmediate(() => {
    garbage = 0
    collecting = false
    collectGarbage()
    collectOnThread()
  })
}
