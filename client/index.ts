// The SDK: what `import … from 'swarmtune'` gives.
import '../common/platform/node-release.ts' // before all that a Node too old for it cannot load

export type { ErrorCode } from '../common/errors.ts'
export { SwarmError } from '../common/errors.ts'
export type { Logger } from '../common/logger.ts'
export type { OnProgress, Progress, ProgressUnit, Stage } from '../common/progress.ts'
export type { BlockRange } from '../common/range.ts'
export { type Float32Tensor, float32, int64, type Tensor, tensor } from '../common/tensor.ts'
export {
  type CharacterRange,
  type ChatMessage,
  type ChatOptions,
  type ChatTemplate,
  type RenderedChat,
  renderAssistantTurns,
  renderChat
} from '../model/text/chat-template.ts'
export { type EncodeChatOptions, type EncodedChat, encodeChat } from '../model/text/chat-tokens.ts'
export { parseJson } from '../model/text/exact-json.ts'
export { decodeAfter } from '../model/text/text-stream.ts'
export { loadTokenizer, type Tokenizer } from '../model/text/tokenizer.ts'
export type { ServerState, Trip } from '../network/discovery/announcement.ts'
export type { FoundPeer } from '../network/network.ts'
export { SwarmStateError } from '../network/state/error.ts'
export type { SwarmState } from '../network/state/swarm-state.ts'
export type { Codec, NamedTensors } from '../proto/frame.ts'
export type { AuditOptions } from './audit/auditor.ts'
export { type AuditReport, describeAudits, type Lie } from './audit/report.ts'
export { type ExportDType, type Exported, type ExportOptions, exportMerged } from './export/export.ts'
export type { FromPeers } from './from-peers.ts'
export {
  type Draft,
  type FinishReason,
  type GenerationOptions,
  type GenerationStep,
  type Guess,
  type LogitsProcessor,
  logprobsOf,
  promptLookup,
  type SamplingOptions,
  type SpeculationPass,
  type TokenLogprobs
} from './generate/index.ts'
export type { JoinOptions } from './join.ts'
export type { Ids, Numbers } from './local/inputs.ts'
export { type ProblemType, problemTypes } from './local/labels.ts'
export { addGradient, clearGradients, type Parameter, parameter } from './local/parameter.ts'
export type { ContextAnswer } from './models/answers.ts'
export type { PassOptions, RowAdapters, SaveOptions, WeightedAdapterOptions } from './models/base-model.ts'
export { AutoDistributedModelForCausalLM, DistributedModelForCausalLM, PeftModelForCausalLM } from './models/causal.ts'
export type {
  CausalModel,
  CausalOutput,
  EmbedInput,
  EmbedOptions,
  ForwardOptions,
  StreamedTokens
} from './models/causal-model.ts'
export type { CausalInput } from './models/causal-pass.ts'
export {
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type ClassifierOptions,
  DistributedModelForSequenceClassification,
  DistributedModelForTokenClassification,
  PeftModelForSequenceClassification,
  PeftModelForTokenClassification,
  type TokenClassifierOptions
} from './models/classification.ts'
export type { ClassificationInput, ClassificationOutput } from './models/classification-model.ts'
export { type LocalDraft, type LocalDraftOptions, openLocalDraft } from './models/draft-model.ts'
export type { FeatureGradients, FeatureInput, FeatureOptions, FeatureOutput } from './models/feature-model.ts'
export type { PoolingKind } from './models/feature-pass.ts'
export {
  AutoDistributedModel,
  AutoDistributedModelForFeatureExtraction,
  DistributedModel,
  PeftModelForFeatureExtraction
} from './models/features.ts'
export { type LanguageModel, openLanguageModel } from './models/language-model.ts'
export type { ModelLoss } from './models/loss.ts'
export { AutoDistributedModelForMaskedLM, DistributedModelForMaskedLM, PeftModelForMaskedLM } from './models/masked.ts'
export type { FilledMask, MaskedInput, MaskedOutput } from './models/masked-model.ts'
export type { GenerateInput } from './models/prompts.ts'
export type { AnsweringOptions, QuestionInput, QuestionOutput } from './models/question-model.ts'
export {
  AutoDistributedModelForQuestionAnswering,
  DistributedModelForQuestionAnswering,
  PeftModelForQuestionAnswering
} from './models/questions.ts'
export {
  AutoDistributedModelForSeq2SeqLM,
  DistributedModelForSeq2SeqLM,
  PeftModelForSeq2SeqLM
} from './models/seq2seq.ts'
export type { Seq2SeqGenerateInput, Seq2SeqOutput } from './models/seq2seq-model.ts'
export type { Seq2SeqInput } from './models/seq2seq-pass.ts'
export { openTextModel } from './models/text-model.ts'
export {
  type AdafactorOptions,
  type AdamWOptions,
  adafactor,
  adamw,
  applyUpdates,
  clipGradNorm,
  createOptimizer,
  type LionOptions,
  learningRateAt,
  lion,
  type Optimizer,
  type OptimizerName,
  type OptimizerSettings,
  type OptimizerState,
  type ScheduleKwargs,
  type ScheduleName,
  type SgdOptions,
  scheduleNames,
  sgd
} from './optim/index.ts'
export { getPeftModel, PeftModel, type TunableModel } from './peft.ts'
export type { PretrainedOptions } from './pretrained.ts'
export type { ForwardPass, RemoteBlocks, RemoteSequential } from './remote/chain.ts'
export type { CodecOption, Codecs } from './remote/passes/codecs.ts'
export type { EncoderStates } from './remote/passes/encoder-states.ts'
export type { InferenceSession } from './remote/session/session.ts'
export type { ServerLoad, SurveyedModel, SurveyedServer } from './survey.ts'
export { joinSwarm, Swarm, type SwarmModelOptions } from './swarm.ts'
export {
  type AnswerMeasures,
  type AnswerScores,
  type AskedQuestion,
  type AverageScores,
  answerScores,
  areEntityTags,
  type Batch,
  type BleuScore,
  bleuScore,
  type CheckpointOptions,
  type ClassificationMeasures,
  type ClassificationReport,
  type ClassScores,
  type ConfusionMatrix,
  checkpointsOf,
  checkRunFolder,
  chrfScore,
  classificationReport,
  collate,
  configName,
  confusionMatrix,
  type DataContext,
  type DataFormatName,
  type DataSources,
  type DataSummary,
  type DataTask,
  type DataTokenizer,
  type DynamicLossScale,
  dataFormatNames,
  dataTasks,
  type EntityMode,
  type EntityReport,
  type EvaluateOptions,
  type EvaluationHook,
  type ExactMatch,
  type Example,
  entitiesOf,
  entityReport,
  evaluateLoss,
  type FoundCheckpoint,
  ignoredLabel,
  type LanguageMeasures,
  type Loss,
  type LossScaleOption,
  loadDataset,
  loadTrainingData,
  lossEvaluation,
  type MetricsLine,
  measureAnswers,
  measureClassification,
  measureExactMatch,
  measureLanguage,
  measureMultiLabel,
  measureRegression,
  measureSimilarity,
  measureWritten,
  multiLabelReport,
  normalizeAnswer,
  type PooledModel,
  type PreviewToken,
  type PromptCompletion,
  parseDataset,
  parseTrainConfig,
  pearson,
  peftKeys,
  planTraining,
  plotRun,
  previewExample,
  previewTokens,
  type QuestionAnswerer,
  type RegressionMeasures,
  type RegressionReport,
  type Resumed,
  type RougeScore,
  type RougeScores,
  type RougeType,
  type RunOptions,
  readConfigYaml,
  readMetrics,
  regressionReport,
  rougeOf,
  rougeScores,
  rougeTypes,
  runTraining,
  type SimilarityLoss,
  SimilarityModel,
  type SquadVersion,
  similarityLosses,
  summarizeData,
  type TokenizeOptions,
  type Traffic,
  type TrainableModel,
  type TrainConfig,
  type TrainedModel,
  type TrainingData,
  type TrainingPlan,
  type TrainingProgress,
  type TrainOptions,
  taskOfData,
  tokenize13a,
  tokenizeExamples,
  toPeftConfig,
  toTrainOptions,
  train,
  trainConfigSchema,
  type Writer,
  type WritingOptions,
  type WrittenMeasures,
  writeConfigYaml
} from './train/index.ts'
export type {
  AdaLoraConfig,
  LoraConfig,
  PeftConfig,
  PeftType,
  PrefixTuningConfig,
  PromptTuningConfig,
  PTuningConfig,
  TaskType
} from './tuning/index.ts'
export { type AdapterInfo, readAdapterInfo } from './tuning/index.ts'
