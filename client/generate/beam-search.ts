// Beam search over any model that can reorder its rows: every prompt has as many rows as beams. Knows no network.

import { SwarmError, toSwarmError } from '../../common/errors.ts'
import { rowView } from '../../common/rows.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { decodeAfter } from '../../model/text/text-stream.ts'
import { advanceBeams, type Beam, type BeamSearch, beginBeams } from './beams.ts'
import { checkLogits } from './logits.ts'
import type { GenerationModel, GenerationStep } from './model.ts'
import type { BeamPlan, GenerationOptions, GenerationPlan } from './options.ts'
import type { LogitsProcessor } from './processors.ts'
import { createRow } from './row.ts'
import { argmax, createProcessors, scoresOf } from './sampling.ts'

type Plan = GenerationPlan & { readonly beams: BeamPlan }

/** log_softmax(logits) in place of `logits`. */
function logProbabilities(logits: Float32Array): Float32Array {
  const highest = logits[argmax(logits)]!
  let total = 0
  for (const logit of logits) total += Math.exp(logit - highest)
  const shift = highest + Math.log(total)
  return logits.map(logit => logit - shift)
}

/** One prompt of the batch. */
interface Item {
  readonly prompt: readonly number[]
  readonly processors: readonly LogitsProcessor[]
  search: BeamSearch
}

/**
 * The best continuations of every prompt, `numReturnSequences` each, best first, with their scores. Throws UNSUPPORTED
 * for a model that cannot reorder its rows, and the errors of `generate`.
 */
export async function searchBeams(
  model: GenerationModel,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions,
  plan: Plan
): Promise<Beam[][]> {
  if (model.reorder === undefined) {
    throw new SwarmError('UNSUPPORTED', 'beam search: this model cannot reorder its rows (generate with numBeams: 1)')
  }
  const { signal } = options
  const { numBeams, numReturnSequences } = plan.beams
  const settings = { ...plan.beams, maxNewTokens: plan.maxNewTokens, endTokens: plan.eosTokenIds.size }
  const { maxNewTokens } = plan
  const eosTokenIds = [...plan.eosTokenIds]
  const items = prompts.map(
    (prompt, row): Item => ({
      prompt,
      processors: createProcessors(options, { promptLength: prompt.length, maxNewTokens, eosTokenIds, row }),
      search: beginBeams()
    })
  )
  // one row of each prompt takes it in; the others, which need some token, go on from that one
  const rows = prompts.flatMap(prompt => [prompt, ...Array(numBeams - 1).fill(prompt.slice(0, 1))])
  let logits: Float32Tensor = await model.prefill(rows, { signal })
  for (;;) {
    if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
    const vocabulary = checkLogits(logits, rows.length)
    const parents = items.flatMap((item, index) => {
      const first = index * numBeams
      const logitsOf = (beam: number) => rowView(logits.data, vocabulary, first + beam)
      const from = item.search.isOver ? [] : advance(item, logitsOf, { settings, options, plan })
      return Array.from({ length: numBeams }, (_, beam) => first + (from[beam] ?? 0))
    })
    if (items.every(({ search }) => search.isOver)) break
    model.reorder(parents)
    const next = items.flatMap(({ search }) =>
      Array.from({ length: numBeams }, (_, beam) =>
        search.isOver ? plan.padTokenId : (search.running[beam]?.ids.at(-1) ?? plan.padTokenId)
      )
    )
    logits = await model.step(next, { signal })
  }
  return items.map(({ search }) => search.ended.slice(0, numReturnSequences))
}

interface AdvanceContext {
  readonly settings: Parameters<typeof advanceBeams>[3]
  readonly options: GenerationOptions
  readonly plan: Plan
}

/** One token more for the beams of a prompt; the beams that they go on from. */
function advance(
  item: Item,
  logitsOf: (beam: number) => Float32Array,
  { settings, options, plan }: AdvanceContext
): readonly number[] {
  const { prompt, search, processors } = item
  const scores = search.running.map(({ ids }, beam) => {
    // checks the logits before use
    const checked = scoresOf(logitsOf(beam), ids, [])
    return scoresOf(logProbabilities(checked), [...prompt, ...ids], processors)
  })
  const isEnd = (ids: readonly number[]): boolean => {
    if (plan.eosTokenIds.has(ids.at(-1)!)) return true
    if (plan.stopStrings.length === 0) return false
    const text = decodeAfter(options.tokenizer!, prompt, ids)
    return plan.stopStrings.some(stop => text.includes(stop))
  }
  const next = advanceBeams(search, scores, isEnd, settings)
  item.search = next.search
  return next.parents
}

/** As `generate`, but yields all steps at the end; one row for every returned sequence. */
export async function* generateByBeams(
  model: GenerationModel,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions,
  plan: Plan
): AsyncGenerator<GenerationStep> {
  const found = await searchBeams(model, prompts, options, plan)
  const rows = found.flatMap((beams, index) =>
    beams.map(({ ids }) => ({ ids, row: createRow(prompts[index]!, index, options, plan) }))
  )
  const longest = Math.max(...rows.map(({ ids }) => ids.length))
  for (let at = 0; at < longest; at++) {
    const taken = rows.map(({ ids, row }) => (at < ids.length ? row.take(ids[at]!) : null))
    yield {
      tokens: taken.map(result => result?.token ?? null),
      texts: taken.map(result => result?.text ?? ''),
      finished: rows.map(({ row }) => row.finished),
      stoppedBy: rows.map(({ row }) => row.stoppedBy)
    }
  }
}
