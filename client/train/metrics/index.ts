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
  measureLanguage
} from './evaluate.ts'
export { pearson, type RegressionReport, regressionReport } from './regression.ts'
export { type RougeScore, type RougeScores, type RougeType, rougeOf, rougeScores, rougeTypes } from './rouge.ts'
