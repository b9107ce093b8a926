// The Llama family: Llama, and Mistral and Qwen2, which differ from it by biases only.
import type { Family } from '../family.ts'
import { rotaryTables } from '../layers/rotary-tables.ts'
import { embed, head, headLoss } from './client.ts'
import { modelTypes, parseConfig } from './config.ts'
import { decodeSpan } from './decode.ts'
import { forwardSpan } from './forward.ts'
import { blockTensors, clientTensorNames, clientTensors, linearModules, moduleWeightName } from './tensors.ts'

export const llama: Family = {
  modelTypes,
  parseConfig,
  blockTensors,
  clientTensors,
  blockTensorNames: (config, block) => blockTensors(config, block).map(tensor => tensor.name),
  clientTensorNames,
  linearModules,
  moduleWeightName,
  forwardSpan,
  decodeSpan,
  embed,
  head,
  headLoss,
  rotaryTables: (config, positions) => rotaryTables(config.rope, config.headDim, positions)
}
