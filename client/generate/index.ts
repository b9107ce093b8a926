// Generation: options, the loop, and the pure pieces that it is made of.
export { type Draft, type DraftOptions, type Guess, lookUp, promptLookup } from './draft.ts'
export { generate, generateIds } from './generate.ts'
export type { GenerationModel, GenerationStep } from './model.ts'
export type { GenerationOptions, SpeculationPass } from './options.ts'
export { type Processor, repetitionPenalty, temperature, topK, topP } from './processors.ts'
export type { FinishReason } from './row.ts'
export { argmax, chooseToken, createProcessors, type RowLimits, type SamplingOptions, sample } from './sampling.ts'
export { createStopFilter, type StopFilter } from './stopping.ts'
