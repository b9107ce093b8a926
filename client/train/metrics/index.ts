// Measures of a model over examples.
export { type AnswerScores, answerScores, normalizeAnswer, type SquadVersion } from './answers.ts'
export { type BleuScore, bleuScore, chrfScore, tokenize13a } from './bleu.ts'
export {
  type AverageScores,
  type ClassificationReport,
  type ClassScores,
  type ConfusionMatrix,
  classificationReport,
  confusionMatrix,
  multiLabelReport
} from './classification.ts'
export { areEntityTags, type EntityMode, type EntityReport, entitiesOf, entityReport } from './entities.ts'
export {
  type ClassificationMeasures,
  type ExactMatch,
  type LanguageMeasures,
  measureClassification,
  measureExactMatch,
  measureLanguage,
  measureMultiLabel,
  measureRegression,
  type RegressionMeasures
} from './evaluate.ts'
export { type AnswerMeasures, bestSpan, measureAnswers, type QuestionAnswerer } from './questions.ts'
export { pearson, type RegressionReport, regressionReport } from './regression.ts'
export { type RougeScore, type RougeScores, type RougeType, rougeOf, rougeScores, rougeTypes } from './rouge.ts'
export { measureWritten, type Writer, type WritingOptions, type WrittenMeasures } from './written.ts'
