// Port tensors by block: which of them a span needs, and the names of their gradients.
import type { BlockRange } from '../../common/range.ts'
import { tensor } from '../../common/tensor.ts'
import type { NamedTensors } from '../../proto/frame.ts'

const blockPattern = /^blocks\.(\d+)\./

/** The tensors that belong to blocks of the range: `blocks.<i>.…`. */
export function portsOf(ports: NamedTensors, blocks: BlockRange): NamedTensors {
  return Object.fromEntries(
    Object.entries(ports).filter(([name]) => {
      const block = Number(blockPattern.exec(name)?.[1] ?? Number.NaN)
      return blocks.first <= block && block < blocks.end
    })
  )
}

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
