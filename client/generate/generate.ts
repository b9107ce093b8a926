// The generation loop over any model with logits: from prompts to tokens and text, step by step. Knows no network.

import { SwarmError, toSwarmError } from '../../common/errors.ts'
import { rowView } from '../../common/rows.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { generateByBeams } from './beam-search.ts'
import { checkLogits } from './logits.ts'
import type { GenerationModel, GenerationStep } from './model.ts'
import { type GenerationOptions, planGeneration } from './options.ts'
import { createRow, type GenerationRow } from './row.ts'
import { speculate } from './speculate.ts'

function checkPrompts(prompts: readonly (readonly number[])[]): void {
  if (prompts.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'generate: expected at least one row, found none')
  const empty = prompts.findIndex(ids => ids.length === 0)
  if (empty !== -1)
    throw new SwarmError('INVALID_ARGUMENT', `generate: row ${empty}: expected at least one token, found none`)
}

/**
 * Generates until every row has ended. The next step is computed only on demand. Throws INVALID_ARGUMENT for invalid
 * options, NON_FINITE for logits that are not finite, ABORTED by the signal, and the model's errors.
 */
export async function* generate(
  model: GenerationModel,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions = {}
): AsyncGenerator<GenerationStep> {
  checkPrompts(prompts)
  const plan = planGeneration(options)
  const { signal } = options
  if (plan.beams !== null) {
    yield* generateByBeams(model, prompts, options, { ...plan, beams: plan.beams })
    return
  }
  if (plan.speculation !== null) {
    yield* speculate(model, prompts, options, { ...plan, speculation: plan.speculation })
    return
  }
  const rows: readonly GenerationRow[] = prompts.map((prompt, index) => createRow(prompt, index, options, plan))
  let tokens: readonly (number | null)[] | null = null
  do {
    if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
    const logits: Float32Tensor =
      tokens === null
        ? await model.prefill(prompts, { signal })
        : await model.step(
            tokens.map((token, index) => (token === null || rows[index]!.finished ? plan.padTokenId : token)),
            { signal }
          )
    const vocabulary = checkLogits(logits, rows.length)
    const taken = rows.map((row, index) => (row.finished ? null : row.advance(rowView(logits.data, vocabulary, index))))
    tokens = taken.map(result => result?.token ?? null)
    yield {
      tokens,
      texts: taken.map(result => result?.text ?? ''),
      finished: rows.map(row => row.finished),
      stoppedBy: rows.map(row => row.stoppedBy),
      ...(options.topLogprobs !== undefined && { logprobs: taken.map(result => result?.logprobs ?? null) })
    }
  } while (rows.some(row => !row.finished))
}

/** The new tokens of every row (of beam search: of every sequence that is returned), padded on the right to one length, as Hugging Face's generate returns them. */
export async function generateIds(
  model: GenerationModel,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions = {}
): Promise<number[][]> {
  const { padTokenId, beams } = planGeneration(options)
  const rows: number[][] = Array.from({ length: prompts.length * (beams?.numReturnSequences ?? 1) }, () => [])
  for await (const { tokens } of generate(model, prompts, options)) {
    for (const [index, token] of tokens.entries()) rows[index]!.push(token ?? padTokenId)
  }
  return rows
}
