// The Llama family: Llama, and Mistral and Qwen2 where they differ from it by biases only.
import type { Family } from '../family.ts'
import { rotaryTables } from '../layers/rotary-tables.ts'
import { modelTypes, parseConfig } from './config.ts'
import { blockTensors, clientTensorNames, clientTensors, linearModules, moduleWeightName } from './tensors.ts'

export const llama = {
  modelTypes,
  parseConfig,
  blockTensors,
  clientTensors,
  blockTensorNames: (config, block) => blockTensors(config, block).map(tensor => tensor.name),
  clientTensorNames,
  linearModules,
  moduleWeightName,
  rotaryTables: (config, positions) => rotaryTables(config.rope, config.headDim, positions)
} as Family
