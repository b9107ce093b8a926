// Uniform numbers as torch.Generator draws them on a CPU: the Mersenne Twister mt19937 (Matsumoto and Nishimura 1998), 24 bits a number
// (aten/src/ATen/core/DistributionsHelper.h, TransformationHelper.h). VeRA's projections in files without them are these.
import type { DataOf } from '../../../common/tensor.ts'

const size = 624
const shift = 397

/** 32-bit numbers. */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(size)
  state[0] = seed >>> 0
  for (let i = 1; i < size; i++) {
    const before = state[i - 1]! ^ (state[i - 1]! >>> 30)
    state[i] = Math.imul(before, 1812433253) + i
  }
  let next = size
  const refill = (): void => {
    for (let i = 0; i < size; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff)
      state[i] = state[(i + shift) % size]! ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0)
    }
    next = 0
  }
  return () => {
    if (next === size) refill()
    let value = state[next++]!
    value ^= value >>> 11
    value ^= (value << 7) & 0x9d2c5680
    value ^= (value << 15) & 0xefc60000
    return (value ^ (value >>> 18)) >>> 0
  }
}

/** `torch.Generator().manual_seed(seed)`; each call gives the next numbers of `tensor.uniform_(-bound, bound)`. */
export function torchUniform(seed: number): (count: number, bound: number) => DataOf<'float32'> {
  // torch seeds with 32 bits
  const draw = mersenneTwister(Number(BigInt(seed) & 0xffffffffn))
  return (count, bound) => {
    const [from, range] = [Math.fround(-bound), Math.fround(Math.fround(bound) - Math.fround(-bound))]
    return Float32Array.from({ length: count }, () => {
      const unit = Math.fround((draw() & 0xffffff) * 2 ** -24)
      return Math.fround(Math.fround(unit * range) + from)
    })
  }
}
