// Names and shapes of Mixtral's checkpoint tensors beside those of attention.
import type { ExpectedTensor } from '../../family.ts'
import { llamaNormTensors } from '../llama/tensors.ts'
import type { MixtralConfig } from './config.ts'

export const router = 'block_sparse_moe.gate'

/** `w1` opens the gate, `w3` goes through it, `w2` leads back. */
export function expertPath(index: number, matrix: 'w1' | 'w2' | 'w3'): string {
  return `block_sparse_moe.experts.${index}.${matrix}`
}

export function otherTensors(config: MixtralConfig): readonly ExpectedTensor[] {
  const { hiddenSize, intermediateSize, traits } = config
  const experts = Array.from({ length: traits.numExperts }, (_, index) => [
    { name: `${expertPath(index, 'w1')}.weight`, shape: [intermediateSize, hiddenSize] },
    { name: `${expertPath(index, 'w2')}.weight`, shape: [hiddenSize, intermediateSize] },
    { name: `${expertPath(index, 'w3')}.weight`, shape: [intermediateSize, hiddenSize] }
  ])
  return [
    ...llamaNormTensors(config),
    { name: `${router}.weight`, shape: [traits.numExperts, hiddenSize] },
    ...experts.flat()
  ]
}
