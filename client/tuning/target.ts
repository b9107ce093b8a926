// What a tuning method may know of a model, from its checkpoint alone.
import { SwarmError } from '../../common/errors.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint.ts'
import type { TuningTarget } from './method.ts'
import type { TaskType } from './task.ts'

/** In a base model, as FEATURE_EXTRACTION has it, paths of modules lack the name of the base model in the whole one. */
function modulePath(path: string, task: TaskType): string {
  return task === 'FEATURE_EXTRACTION' ? path.slice(path.indexOf('.') + 1) : path
}

/** A target for adapters that are loaded: where first values would need embeddings there are none. */
export function checkpointTarget(checkpoint: Checkpoint, task: TaskType = 'CAUSAL_LM'): TuningTarget {
  const { family, config } = checkpoint
  return {
    modules: family.linearModules(config),
    defaultTargets: family.defaultTargets,
    modelType: config.modelType,
    numBlocks: config.numBlocks,
    hiddenSize: config.hiddenSize,
    blockWidth: config.hiddenSize,
    vocabSize: config.vocabSize,
    numHeads: config.numHeads,
    keyValue: { heads: config.numKeyValueHeads, headDim: config.headDim },
    blockBiases: block => family.blockBiases(config, block),
    clientBiases: family.clientTensors(config).flatMap(({ name }) => (name.endsWith('.bias') ? name : [])),
    readBias: (block, module, options) =>
      readTensor(checkpoint, `${family.moduleWeightName(block, module)}.bias`, options),
    moduleWeightName: (block, module) => modulePath(family.moduleWeightName(block, module), task),
    async embedRows() {
      throw new SwarmError('INTERNAL', 'embedRows: asked for by an adapter that is only loaded')
    }
  }
}
