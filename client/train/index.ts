// Training: examples, batches and the loop.
export { type Batch, collate } from './collate.ts'
export { loadDataset, type PromptCompletion, parseDataset } from './dataset.ts'
export { type EvaluateOptions, evaluateLoss } from './evaluate.ts'
export {
  createLossScale,
  type DynamicLossScale,
  type LossScale,
  type LossScaleOption,
  type LossScaleState
} from './loss-scale.ts'
export type { ForwardOptions, Loss, TrainableModel } from './model.ts'
export { epochOrder, type PlanOptions, planTraining, type TrainingPlan } from './plan.ts'
export { type Example, ignoredLabel, type TokenizeOptions, tokenizeExamples } from './tokenize.ts'
export { type EvaluationHook, type TrainingProgress, type TrainOptions, train } from './trainer.ts'
