// Measures of a model as lines for a person and as an object for programs. Pure.
import type {
  AnswerMeasures,
  ClassificationMeasures,
  ExactMatch,
  LanguageMeasures,
  WrittenMeasures
} from '../../client/index.ts'

export interface LanguageResult extends LanguageMeasures {
  readonly exactMatch?: ExactMatch
}

export interface ClassificationSummary extends ClassificationMeasures {
  /** names of the classes */
  readonly labels: readonly string[]
}

const whole = (number: number): string => number.toLocaleString('en')
const percent = (part: number, all: number): string => `${((100 * part) / all).toFixed(1)} %`

export function languageLines({ loss, perplexity, labels, exactMatch }: LanguageResult): string[] {
  const lines = [`perplexity ${perplexity.toPrecision(5)} (loss ${loss.toFixed(4)}) over ${whole(labels)} tokens`]
  if (exactMatch === undefined) return lines
  const { matched, questions } = exactMatch
  const answered = questions === 0 ? 'no example has one prompt and one answer' : percent(matched, questions)
  return [...lines, `exact match ${answered} (${whole(matched)} of ${whole(questions)})`]
}

/** A table with its columns aligned: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')
  )
}

export function classificationLines(result: ClassificationSummary): string[] {
  const { loss, accuracy, macroF1, classes, confusion, support, labels } = result
  const scores = classes.map(({ precision, recall, f1, support }, index) => [
    labels[index]!,
    ...[precision, recall, f1].map(score => score.toFixed(4)),
    whole(support)
  ])
  const counts = confusion.map((row, index) => [labels[index]!, ...row.map(whole)])
  return [
    `accuracy ${percent(accuracy, 1)} of ${whole(support)}, macro F1 ${macroF1.toFixed(4)}, loss ${loss.toFixed(4)}`,
    '',
    ...table([['class', 'precision', 'recall', 'F1', 'count'], ...scores]),
    '',
    ...table([['expected \\ predicted', ...labels], ...counts]),
    ...entityLines(result)
  ]
}

/** Entities by type; nothing where the classes are no tags of entities. */
function entityLines({ entities }: ClassificationSummary): string[] {
  if (entities === null) return []
  const all = { ...entities.types, 'all types': entities }
  const rows = Object.entries(all).map(([type, { precision, recall, f1, support }]) => [
    type,
    ...[precision, recall, f1].map(score => score.toFixed(4)),
    whole(support)
  ])
  return ['', ...table([['entity', 'precision', 'recall', 'F1', 'count'], ...rows])]
}

export function answerLines({ loss, exactMatch, f1, support, hasAnswer, noAnswer }: AnswerMeasures): string[] {
  const line = (name: string, found: { exactMatch: number; f1: number; support: number }): string =>
    `${name}exact match ${found.exactMatch.toFixed(2)} %, F1 ${found.f1.toFixed(2)} % of ${whole(found.support)} questions`
  const parts = [hasAnswer && line('with an answer: ', hasAnswer), noAnswer && line('without: ', noAnswer)]
  return [
    `loss ${loss.toFixed(4)}, ${line('', { exactMatch, f1, support })}`,
    ...parts.filter(part => part !== undefined)
  ]
}

export function answerJson({ loss, exactMatch, f1, support, hasAnswer, noAnswer }: AnswerMeasures) {
  const named = (found: typeof hasAnswer) =>
    found && { exact_match: found.exactMatch, f1: found.f1, questions: found.support }
  const parts = { has_answer: named(hasAnswer), no_answer: named(noAnswer) }
  return { loss, exact_match: exactMatch, f1, questions: support, ...(hasAnswer && parts) }
}

export function writtenLines(result: WrittenMeasures): string[] {
  const { loss, exactMatch, rouge1, rouge2, rougeL, rougeLsum, bleu, chrf, texts } = result
  const rouge = { 'ROUGE-1': rouge1, 'ROUGE-2': rouge2, 'ROUGE-L': rougeL, 'ROUGE-Lsum': rougeLsum }
  const scores = Object.entries({ ...rouge, BLEU: bleu, chrF: chrf })
  return [
    `loss ${loss.toFixed(4)}, exact match ${exactMatch.toFixed(1)} % of ${whole(texts.length)} texts`,
    scores.map(([name, value]) => `${name} ${value.toFixed(2)}`).join(', ')
  ]
}

export function writtenJson(result: WrittenMeasures): Record<string, unknown> {
  const { loss, exactMatch, rouge1, rouge2, rougeL, rougeLsum, bleu, chrf, genLen, texts } = result
  return { loss, exact_match: exactMatch, rouge1, rouge2, rougeL, rougeLsum, bleu, chrf, gen_len: genLen, texts }
}

/** The same under names in snake case, as metrics.jsonl has them. */
export function languageJson({ loss, perplexity, labels, exactMatch }: LanguageResult): Record<string, unknown> {
  const { matched, questions } = exactMatch ?? {}
  return {
    loss,
    perplexity,
    tokens: labels,
    ...(exactMatch && { exact_match: questions === 0 ? null : matched! / questions!, matched, questions })
  }
}

export function classificationJson(result: ClassificationSummary): Record<string, unknown> {
  const { loss, accuracy, macroF1, classes, confusion, support, labels } = result
  return {
    loss,
    accuracy,
    macro_f1: macroF1,
    count: support,
    classes: classes.map((scores, index) => ({ label: labels[index], ...scores })),
    confusion_matrix: confusion,
    ...(result.matthews !== null && { matthews: result.matthews }),
    ...(result.entities && { entities: result.entities })
  }
}
