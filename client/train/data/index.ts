// Training data: files to examples, and an example as a person reads it.
export {
  loadDataset,
  type PromptCompletion,
  parseDataset,
  type TokenizeOptions,
  tokenizeExamples
} from './completions.ts'
export { type AskedQuestion, type Example, ignoredLabel } from './example.ts'
export { type DataTask, type DataTokenizer, dataTasks } from './format.ts'
export { type DataFormatName, dataFormatNames } from './formats/index.ts'
export { type DataContext, type DataSources, loadTrainingData, type TrainingData, taskOfData } from './load.ts'
export {
  type PreviewOptions,
  type PreviewPart,
  type PreviewToken,
  previewExample,
  previewParts,
  previewTokens
} from './preview.ts'
