// Measures of a model over examples.
export {
  type ClassificationReport,
  type ConfusionMatrix,
  classificationReport,
  confusionMatrix
} from './classification.ts'
export {
  type ClassificationMeasures,
  type ExactMatch,
  type LanguageMeasures,
  measureClassification,
  measureExactMatch,
  measureLanguage
} from './evaluate.ts'
