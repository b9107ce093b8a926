// T5, T5 v1.1, FLAN-T5, mT5 and UMT5: an encoder and a decoder, relative biases, no biases of layers, unscaled scores.

import { stackOf } from '../../config/config.ts'
import type { FamilyDescription } from '../../spans/description.ts'
import { defineFamily } from '../define-family.ts'
import { t5Block, t5CrossProjections } from './block.ts'
import { parseT5Config, type T5Config } from './config.ts'
import { t5TaskHead } from './heads.ts'
import {
  aliases,
  blockPath,
  finalNorm,
  sharedTensors,
  t5ClientTensorNames,
  t5ClientTensors,
  t5LinearModules,
  t5OtherTensors,
  tableOf
} from './tensors.ts'

const description: Omit<FamilyDescription<T5Config>, 'modelTypes' | 'defaultTargets'> = {
  parseConfig: parseT5Config,
  blockPath,
  linearModules: t5LinearModules,
  biasedModules: () => [],
  otherTensors: t5OtherTensors,
  sharedTensors,
  attention: (config, block) => ({
    scale: 1,
    bothWays: stackOf(config, block).name === 'encoder',
    relative: {
      table: tableOf(config, block),
      buckets: config.traits.buckets,
      maxDistance: config.traits.maxDistance
    }
  }),
  block: t5Block,
  crossProjections: t5CrossProjections,
  clientTensorNames: t5ClientTensorNames,
  clientTensors: t5ClientTensors,
  aliases,
  leave: ({ config, scope, stack }, hidden) => scope.rmsNorm(hidden, finalNorm(stack), { epsilon: config.normEpsilon }),
  beforeHead: ({ g, config }, states) =>
    config.traits.scalesOutputs ? g.Mul(states, g.constant(config.hiddenSize ** -0.5)) : states,
  taskHead: t5TaskHead,
  pathIn: (_, task, path) => (task === 'SEQ_CLS' || task === 'TOKEN_CLS' ? `transformer.${path}` : path),
  rotaryTables: () => ({})
}

export const t5 = defineFamily({ ...description, modelTypes: ['t5', 'mt5'], defaultTargets: ['q', 'v'] })

/** PEFT has no default modules for it. */
export const umt5 = defineFamily({ ...description, modelTypes: ['umt5'], defaultTargets: [] })
