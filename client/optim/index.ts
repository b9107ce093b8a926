// Optimizers, schedules and clipping.
export { type AdafactorOptions, adafactor } from './adafactor.ts'
export { type AdamWOptions, adamw } from './adamw.ts'
export { clipGradNorm, gradNorm } from './clip.ts'
export {
  createOptimizer,
  type OptimArgs,
  type OptimizerName,
  type OptimizerSettings,
  optimizerKeys,
  optimizerNames
} from './create.ts'
export { isDecayed } from './decay.ts'
export { type LionOptions, lion } from './lion.ts'
export { applyUpdates, chain, type Optimizer, type OptimizerState, type Updates } from './optimizer.ts'
export {
  checkScheduleKwargs,
  dependsOnLength,
  learningRateAt,
  type ScheduleKwargs,
  type ScheduleName,
  type ScheduleSettings,
  scheduleNames,
  warmupStepsOf
} from './schedules.ts'
export { type SgdOptions, sgd } from './sgd.ts'
export type { StepSettings, Transform, TransformState } from './transform.ts'
