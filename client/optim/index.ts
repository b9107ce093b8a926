// Optimizers, schedules and clipping.
export { type AdamWOptions, adamw } from './adamw.ts'
export { clipGradNorm, gradNorm } from './clip.ts'
export { applyUpdates, chain, type Optimizer, type OptimizerState, type Updates } from './optimizer.ts'
export { learningRateAt, type ScheduleName, type ScheduleSettings, scheduleNames } from './schedules.ts'
export {
  type AdamMoments,
  addDecayedWeights,
  type StepSettings,
  scaleByAdam,
  scaleByLearningRate,
  type Transform,
  type TransformState
} from './transform.ts'
