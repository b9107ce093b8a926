// The configuration of a training run.
export { toTrainOptions } from './options.ts'
export { parseTrainConfig } from './parse.ts'
export { peftKeys, toPeftConfig } from './peft.ts'
export { type TrainConfig, trainConfigSchema } from './schema.ts'
export { type ConfigSource, readConfigYaml, writeConfigYaml } from './yaml.ts'
