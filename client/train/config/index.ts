// The configuration of a training run.

export { foreignSwitches, foreignValues } from './foreign-names.ts'
export { toTrainOptions } from './options.ts'
export { type ConfigLayer, parseTrainConfig, parseTrainLayers } from './parse.ts'
export { peftKeys, toPeftConfig } from './peft.ts'
export { type TrainConfig, trainConfigGroups, trainConfigSchema } from './schema.ts'
export { type ConfigSource, readConfigYaml, writeConfigYaml } from './yaml.ts'
