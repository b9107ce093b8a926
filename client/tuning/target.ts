// What a tuning method may know of a model, from its checkpoint alone.
import { SwarmError } from '../../common/errors.ts'
import type { Checkpoint } from '../../model/checkpoint.ts'
import type { TuningTarget } from './method.ts'

/** A target for adapters that are loaded: where first values would need embeddings there are none. */
export function checkpointTarget({ family, config }: Pick<Checkpoint, 'family' | 'config'>): TuningTarget {
  return {
    modules: family.linearModules(config),
    defaultTargets: family.defaultTargets,
    numBlocks: config.numBlocks,
    hiddenSize: config.hiddenSize,
    vocabSize: config.vocabSize,
    numHeads: config.numHeads,
    keyValue: { heads: config.numKeyValueHeads, headDim: config.headDim },
    moduleWeightName: family.moduleWeightName,
    async embedRows() {
      throw new SwarmError('INTERNAL', 'embedRows: asked for by an adapter that is only loaded')
    }
  }
}
