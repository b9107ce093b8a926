// Texts that a model writes from sources, compared with those that are expected.
import { checkOptions } from '../../../common/options.ts'
import { runStage } from '../../../common/progress.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import type { GenerationOptions } from '../../generate/index.ts'
import { type Example, ignoredLabel } from '../data/example.ts'
import { type EvaluateOptions, evaluateKeys, evaluateLoss } from '../evaluate.ts'
import type { TrainableModel } from '../model.ts'
import { bleuScore, chrfScore } from './bleu.ts'
import { rougeScores } from './rouge.ts'

/** A model that writes a text from token ids. */
export interface Writer extends Pick<TrainableModel, 'forward' | 'firstLabelCounts' | 'task'> {
  readonly tokenizer: Pick<Tokenizer, 'decode'>
  /** New tokens of every row. Throws as the model's `generate`. */
  generate(input: number[][], options?: GenerationOptions): Promise<number[][]>
}

/** How written texts are made. */
export interface WritingOptions {
  /** tokens at most, the start token counted; default: the longest expected text and its end */
  readonly maxLength?: number
  /** default 1: greedy */
  readonly numBeams?: number
}

/** Scores of written texts. */
export interface WrittenMeasures {
  /** mean cross entropy of the expected texts' tokens */
  readonly loss: number
  /** percent of texts that are the expected ones, white space at both ends aside */
  readonly exactMatch: number
  /** mean F1 in percent */
  readonly rouge1: number
  readonly rouge2: number
  readonly rougeL: number
  readonly rougeLsum: number
  readonly bleu: number
  readonly chrf: number
  /** mean length of written texts in tokens, special ones counted */
  readonly genLen: number
  /** texts that were written, in the order of the examples */
  readonly texts: readonly string[]
}

/** Greedy or beam texts of all sources, and the loss. Throws what the model throws. */
export async function measureWritten(
  model: Writer,
  examples: readonly Example[],
  options: EvaluateOptions & WritingOptions
): Promise<WrittenMeasures> {
  checkOptions('measureWritten', options, { ...evaluateKeys, maxLength: true, numBeams: true })
  const { padTokenId, batchSize = 8, signal, onProgress, maxLength, numBeams = 1 } = options
  const loss = await evaluateLoss(model, examples, { padTokenId, batchSize, signal, onProgress })
  const textOf = (ids: readonly number[]): string => model.tokenizer.decode(ids, { skipSpecialTokens: true })
  const expected = examples.map(({ labels }) => textOf(labels.filter(label => label !== ignoredLabel)))
  const longest = maxLength ?? Math.max(...examples.map(({ labels }) => labels.length)) + 1
  const texts: string[] = []
  let tokens = 0
  await runStage(onProgress, { stage: 'answer', unit: 'examples', total: examples.length }, async running => {
    for (let first = 0; first < examples.length; first += batchSize) {
      const batch = examples.slice(first, first + batchSize)
      const settings = { maxNewTokens: longest - 1, doSample: false, numBeams, signal }
      const rows = await model.generate(
        batch.map(({ ids }) => [...ids]),
        settings
      )
      for (const row of rows) {
        texts.push(textOf(row))
        tokens += row.filter((id, place) => place === 0 || id !== padTokenId).length
      }
      running.add(batch.length)
    }
  })
  const rouge = rougeScores(expected, texts)
  const references = expected.map(text => [text])
  const matched = texts.filter((text, index) => text.trim() === expected[index]!.trim()).length
  return {
    loss,
    exactMatch: (100 * matched) / texts.length,
    rouge1: 100 * rouge.rouge1,
    rouge2: 100 * rouge.rouge2,
    rougeL: 100 * rouge.rougeL,
    rougeLsum: 100 * rouge.rougeLsum,
    bleu: bleuScore(texts, references).score,
    chrf: chrfScore(texts, references),
    genLen: tokens / texts.length,
    texts
  }
}
