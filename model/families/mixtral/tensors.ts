// Names and shapes of Mixtral's checkpoint tensors beside those of attention.
import type { BlockParameter, ExpectedTensor, LinearModule } from '../../family.ts'
import { llamaNormTensors } from '../llama/tensors.ts'
import type { MixtralConfig } from './config.ts'

export const router = 'block_sparse_moe.gate'

/** `w1` opens the gate, `w3` goes through it, `w2` leads back. */
export function expertPath(index: number, matrix: 'w1' | 'w2' | 'w3'): string {
  return `block_sparse_moe.experts.${index}.${matrix}`
}

/** As transformers 5 keeps router and experts. */
export function blockParameters({ hiddenSize, intermediateSize, traits }: MixtralConfig): readonly BlockParameter[] {
  const { numExperts } = traits
  const inner = { inFeatures: hiddenSize, outFeatures: intermediateSize, undropped: true }
  const back = { inFeatures: intermediateSize, outFeatures: hiddenSize, undropped: true }
  const gate = { name: router, inFeatures: hiddenSize, outFeatures: numExperts, undropped: true }
  const expertsOf = (parts: (index: number) => LinearModule[]): LinearModule[][] =>
    Array.from({ length: numExperts }, (_, index) => parts(index))
  return [
    { name: 'mlp.gate.weight', inFeatures: hiddenSize, outFeatures: numExperts, experts: [[gate]] },
    {
      name: 'mlp.experts.gate_up_proj',
      inFeatures: hiddenSize,
      outFeatures: 2 * intermediateSize,
      experts: expertsOf(index => [
        { name: expertPath(index, 'w1'), ...inner },
        { name: expertPath(index, 'w3'), ...inner }
      ])
    },
    {
      name: 'mlp.experts.down_proj',
      inFeatures: intermediateSize,
      outFeatures: hiddenSize,
      experts: expertsOf(index => [{ name: expertPath(index, 'w2'), ...back }])
    }
  ]
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
