// Dropout masks of LoRA inputs that a server and its replacement make alike, however blocks are split among servers.
import { createRandom } from '../../common/random.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { sharedTensor } from '../../runtime/session.ts'

/** FNV-1a hash, to distinguish modules. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/**
 * Values 0 (with the probability given) or 1 / (1 - probability), as PyTorch's dropout scales; they depend on seed, block, module
 * and place in the tensor only. Element i is dropped where the i-th number of xoshiro128** is below probability * 2^32; its state is
 * the first four numbers of `createRandom(seed, block, fnv1a(module))`. Written out: millions of elements a step are usual.
 * @param shape [batch, seq, in]
 */
export function dropoutMask(
  dropout: { readonly probability: number; readonly seed: number },
  block: number,
  module: string,
  shape: readonly number[]
): Float32Tensor {
  const mask = sharedTensor('float32', shape)
  const random = createRandom(dropout.seed, block, hash(module))
  let [a, b, c, d] = [random.uint32(), random.uint32(), random.uint32(), random.uint32()]
  const threshold = dropout.probability * 2 ** 32
  const kept = 1 / (1 - dropout.probability)
  const { data } = mask
  for (let i = 0; i < data.length; i++) {
    const five = Math.imul(b, 5)
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0
    data[i] = result < threshold ? 0 : kept
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
  }
  return mask
}
