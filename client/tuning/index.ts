// Tuning methods: created, saved and loaded.
export type { AdaLoraConfig, AdaLoraSettings } from './adalora/index.ts'
export { loadAdapter, saveAdapter } from './adapter-file.ts'
export type { LoraConfig, LoraSettings } from './lora/index.ts'
export type { PortTensors, TuningMethod, TuningPass, TuningState, TuningTarget } from './method.ts'
export { createTuning, type PeftConfig, type PeftType } from './methods.ts'
export type { PTuningConfig, PTuningSettings } from './p-tuning/index.ts'
export type { PrefixTuningConfig, PrefixTuningSettings } from './prefix/index.ts'
export type { PromptTuningConfig, PromptTuningSettings } from './prompt/index.ts'
