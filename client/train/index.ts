// Training: examples, batches and the loop.
export { checkpointsOf, type FoundCheckpoint } from './checkpoint/index.ts'
export { type Batch, collate } from './collate.ts'
export {
  parseTrainConfig,
  peftKeys,
  readConfigYaml,
  type TrainConfig,
  toPeftConfig,
  toTrainOptions,
  trainConfigSchema,
  writeConfigYaml
} from './config/index.ts'
export {
  type AskedQuestion,
  type DataContext,
  type DataFormatName,
  type DataSources,
  type DataTask,
  type DataTokenizer,
  dataFormatNames,
  dataTasks,
  type Example,
  ignoredLabel,
  loadDataset,
  loadTrainingData,
  type PreviewOptions,
  type PreviewToken,
  type PromptCompletion,
  parseDataset,
  previewExample,
  previewTokens,
  type TokenizeOptions,
  type TrainingData,
  taskOfData,
  tokenizeExamples
} from './data/index.ts'
export { type EvaluateOptions, evaluateLoss, lossEvaluation } from './evaluate.ts'
export {
  createLossScale,
  type DynamicLossScale,
  type LossScale,
  type LossScaleOption,
  type LossScaleState
} from './loss-scale.ts'
export {
  type AnswerMeasures,
  type AnswerScores,
  type AverageScores,
  answerScores,
  areEntityTags,
  type BleuScore,
  bleuScore,
  type ClassificationMeasures,
  type ClassificationReport,
  type ClassScores,
  type ConfusionMatrix,
  chrfScore,
  classificationReport,
  confusionMatrix,
  type EntityMode,
  type EntityReport,
  type ExactMatch,
  entitiesOf,
  entityReport,
  type LanguageMeasures,
  measureAnswers,
  measureClassification,
  measureExactMatch,
  measureLanguage,
  measureMultiLabel,
  measureRegression,
  measureWritten,
  multiLabelReport,
  normalizeAnswer,
  pearson,
  type QuestionAnswerer,
  type RegressionMeasures,
  type RegressionReport,
  type RougeScore,
  type RougeScores,
  type RougeType,
  regressionReport,
  rougeOf,
  rougeScores,
  rougeTypes,
  type SquadVersion,
  tokenize13a,
  type Writer,
  type WritingOptions,
  type WrittenMeasures
} from './metrics/index.ts'
export type { BackwardOptions, Loss, Traffic, TrainableModel, TrainedModel, TrainingForwardOptions } from './model.ts'
export type {
  CheckpointOptions,
  EvaluationHook,
  Resumed,
  TrainingPlanOptions,
  TrainingProgress,
  TrainOptions
} from './options.ts'
export { epochOrder } from './order.ts'
export { planTraining, type TrainingPlan } from './plan.ts'
export {
  checkRunFolder,
  configName,
  type DataSummary,
  type MetricsLine,
  plotRun,
  previewRun,
  probeRunFolder,
  type RunOptions,
  type RunPreview,
  readMetrics,
  runTraining,
  summarizeData
} from './run/index.ts'
export {
  measureSimilarity,
  type PooledModel,
  type SimilarityLoss,
  SimilarityModel,
  similarityLosses
} from './similarity.ts'
export { train } from './trainer.ts'
