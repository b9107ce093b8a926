// Gradients of port tensors, which several requests bring parts of.
import { tensor } from '../../../common/tensor.ts'
import type { NamedTensors } from '../../../proto/frame.ts'

/** Gradients of the same ports from several requests, added. */
export function sumPorts(parts: readonly NamedTensors[]): NamedTensors {
  const [first, ...others] = parts
  if (first === undefined || others.length === 0) return first ?? {}
  return Object.fromEntries(
    Object.entries(first).map(([name, { shape, data }]) => {
      const sum = Float32Array.from(data as Float32Array)
      for (const part of others) {
        const values = part[name]!.data as Float32Array
        for (let index = 0; index < sum.length; index++) sum[index]! += values[index]!
      }
      return [name, tensor('float32', shape, sum)]
    })
  )
}
