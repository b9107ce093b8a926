// What a tuning method may know about a model, from its checkpoint only.
import { SwarmError } from '../../common/errors.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint/checkpoint.ts'
import { type ModelConfig, stackNamed } from '../../model/config/config.ts'
import { isJsonObject } from '../../model/json.ts'
import type { NamedModule, TuningTarget } from './method.ts'
import type { TaskType } from './task.ts'

/** Falcon's new architecture repeats keys and values for every query head before transformers keeps them. */
function cachedHeadsOf({ modelType, raw, numHeads, numKeyValueHeads }: ModelConfig): number {
  const isRepeated = modelType === 'falcon' && isJsonObject(raw) && raw.new_decoder_architecture === true
  return isRepeated ? numHeads : numKeyValueHeads
}

/** Paths of modules outside the blocks; the head is none of the base model. */
function outsideModules({ family, config }: Checkpoint, task: TaskType): readonly string[] {
  const { head, embedding } = family.clientTensorNames(config)
  const tensors = family.clientTensors(config).filter(({ name }) => name === embedding || name !== head)
  return [...new Set(tensors.map(({ name }) => family.pathIn(config, task, name.slice(0, name.lastIndexOf('.')))))]
}

/** The embedding, and the head of a language model; of one stack: PEFT sees two embeddings in others. */
function namedModules({ family, config, tensors }: Checkpoint, task: TaskType): readonly NamedModule[] {
  if ((config.stacks ?? []).length > 1) return []
  const { embedding, head } = family.clientTensorNames(config)
  const [vocabulary, width] = tensors.get(embedding)!.shape as [number, number]
  const pathOf = (tensor: string): string => tensor.slice(0, tensor.lastIndexOf('.'))
  const tied = task === 'CAUSAL_LM' && embedding === head
  const rows: NamedModule = {
    name: pathOf(embedding),
    path: family.pathIn(config, task, pathOf(embedding)),
    tensor: embedding,
    inFeatures: vocabulary,
    outFeatures: width,
    isEmbedding: true,
    where: 'before',
    tied
  }
  if (task !== 'CAUSAL_LM') return [rows]
  const sizes = { inFeatures: width, outFeatures: vocabulary }
  // transformers' name, whatever the checkpoint's is
  return [rows, { name: 'lm_head', path: 'lm_head', tensor: head, ...sizes, where: 'after', tied }]
}

/** A target for adapters that are loaded: where first values would need embeddings there are none. */
export function checkpointTarget(checkpoint: Checkpoint, task: TaskType = 'CAUSAL_LM'): TuningTarget {
  const { family, config } = checkpoint
  const blocks = Array.from({ length: config.numBlocks }, (_, block) => block)
  const modulesOf = (block: number) => family.linearModules(config, block)
  return {
    modules: [...new Map(blocks.flatMap(modulesOf).map(module => [module.name, module])).values()],
    modulesOf,
    clientModules: family
      .clientLinearModules(config)
      .map(module => ({ ...module, path: family.pathIn(config, task, module.name) })),
    namedModules: namedModules(checkpoint, task),
    blockParameters: family.blockParameters(config),
    defaultTargets: family.defaultTargets,
    modelType: config.modelType,
    numBlocks: config.numBlocks,
    encoder: stackNamed(config, 'encoder')?.blocks,
    decoder: stackNamed(config, 'decoder')?.blocks,
    submodules: (task as string) === 'SEQ_2_SEQ_LM' ? 2 : 1,
    hiddenSize: config.hiddenSize,
    blockWidth: config.hiddenSize,
    vocabSize: config.vocabSize,
    numHeads: config.numHeads,
    keyValue: { heads: config.numKeyValueHeads, headDim: config.headDim, cachedHeads: cachedHeadsOf(config) },
    blockBiases: block => family.blockBiases(config, block),
    blockNorms: block => family.blockNorms(config, block),
    outsideModules: outsideModules(checkpoint, task),
    readNorm: (block, module, options) =>
      readTensor(checkpoint, `${family.moduleWeightName(config, block, module)}.weight`, options),
    readBias: (block, module, options) =>
      readTensor(checkpoint, `${family.moduleWeightName(config, block, module)}.bias`, options),
    readWeight: (block, module, options) =>
      readTensor(
        checkpoint,
        `${block === null ? module : family.moduleWeightName(config, block, module)}.weight`,
        options
      ),
    moduleWeightName: (block, module) => family.pathIn(config, task, family.moduleWeightName(config, block, module)),
    async embedRows() {
      throw new SwarmError('INTERNAL', 'embedRows: asked for by an adapter that is only loaded')
    }
  }
}
