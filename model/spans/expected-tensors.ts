// Names and shapes of a model's tensors, as its family's description implies them.
import type { ModelConfig } from '../config/config.ts'
import type { BlockBias, ExpectedTensor } from '../family.ts'
import type { FamilyDescription } from './description.ts'

/** Names and shapes of a block's tensors as they are in the checkpoint. */
export function blockTensorsOf<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  block: number
): readonly ExpectedTensor[] {
  const biased = description.biasedModules(config, block)
  const linears = description.linearModules(config, block).flatMap(({ name, inFeatures, outFeatures, transposed }) => {
    const shape = transposed ? [inFeatures, outFeatures] : [outFeatures, inFeatures]
    const weight = { name: `${name}.weight`, shape }
    return biased.includes(name) ? [weight, { name: `${name}.bias`, shape: [outFeatures] }] : [weight]
  })
  const path = description.blockPath(block, config)
  const own = [...description.otherTensors(config, block), ...linears].map(tensor => ({
    ...tensor,
    name: `${path}.${tensor.name}`
  }))
  const shared = description.sharedTensors?.(config, block) ?? []
  return [...own, ...shared.filter(({ name }) => !own.some(each => each.name === name))]
}

/** The vectors of a block whose names end so, by the paths of their modules. */
function vectorsOf<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  block: number,
  end: '.bias' | '.weight'
): readonly BlockBias[] {
  const prefix = `${description.blockPath(block, config)}.`
  return blockTensorsOf(description, config, block)
    .filter(({ name, shape }) => name.startsWith(prefix) && name.endsWith(end) && shape.length === 1)
    .map(({ name, shape }) => ({ name: name.slice(prefix.length, -end.length), size: shape[0]! }))
}

/** The biases of a block by the paths of their modules. */
export function blockBiasesOf<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  block: number
): readonly BlockBias[] {
  return vectorsOf(description, config, block, '.bias')
}

/** The norms of a block that have a weight: no other module's weight is a vector. */
export function blockNormsOf<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C,
  block: number
): readonly BlockBias[] {
  return vectorsOf(description, config, block, '.weight')
}

/** Names and shapes of the client's tensors, tied ones once. */
export function clientTensorsOf<C extends ModelConfig>(
  description: FamilyDescription<C>,
  config: C
): readonly ExpectedTensor[] {
  const { embedding, head } = description.clientTensorNames(config)
  const matrix = [config.vocabSize, description.embeddingWidth?.(config) ?? config.hiddenSize]
  const names = [...new Set([embedding, head])]
  return [...names.map(name => ({ name, shape: matrix })), ...description.clientTensors(config)]
}
