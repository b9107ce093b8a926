// Speculative decoding of one row: a draft proposes tokens, one pass of the model checks them, rejected ones are
// removed.

import { SwarmError, toSwarmError } from '../../common/errors.ts'
import { rowView } from '../../common/rows.ts'
import { checkLogits } from './logits.ts'
import type { GenerationModel, GenerationStep } from './model.ts'
import type { GenerationOptions, GenerationPlan, SpeculationPlan } from './options.ts'
import { createRow, type Taken } from './row.ts'

/** Throws UNSUPPORTED if speculation is not possible. */
function checkSupport(model: GenerationModel, batch: number): Required<GenerationModel> {
  const { extend, retract } = model
  if (extend === undefined || retract === undefined) {
    throw new SwarmError(
      'UNSUPPORTED',
      'speculative decoding: this model cannot remove tokens (generate without a draft)'
    )
  }
  if (batch > 1) {
    throw new SwarmError(
      'UNSUPPORTED',
      `speculative decoding: expected one row, found ${batch} (generate for each row separately, or without a draft)`
    )
  }
  return model as Required<GenerationModel>
}

/**
 * As `generate`, one step for each token. Greedy tokens are those without a draft; sampled ones have their distribution, but are not
 * the same for the same seed. Throws as `generate`, and UNSUPPORTED for several rows.
 */
export async function* speculate(
  given: GenerationModel,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions,
  plan: GenerationPlan & { readonly speculation: SpeculationPlan }
): AsyncGenerator<GenerationStep> {
  const model = checkSupport(given, prompts.length)
  const { signal, onSpeculation } = options
  const { draft, tokens: most } = plan.speculation
  const [prompt] = prompts as [readonly number[]]
  const row = createRow(prompt, 0, options, plan)
  const stepOf = ({ token, text, logprobs }: Taken): GenerationStep => ({
    tokens: [token],
    texts: [text],
    finished: [row.finished],
    stoppedBy: [row.stoppedBy],
    ...(logprobs !== null && { logprobs: [logprobs] })
  })
  const logits = await model.prefill(prompts, { signal })
  const vocabulary = checkLogits(logits, 1)
  yield stepOf(row.advance(logits.data))
  while (!row.finished) {
    if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
    // each pass yields one token more than it accepts
    const room = plan.maxNewTokens - (row.ids.length - prompt.length) - 1
    const count = Math.min(most, room)
    const proposed = count < 1 ? [] : (await draft.propose(row.ids, count, { signal })).slice(0, count)
    // another model may have more tokens
    const strange = proposed.findIndex(({ token }) => token >= vocabulary)
    const guesses = strange === -1 ? proposed : proposed.slice(0, strange)
    const passed = await model.extend([row.ids.at(-1)!, ...guesses.map(({ token }) => token)], { signal })
    checkLogits(passed, 1 + guesses.length)
    const logitsAt = (index: number) => rowView(passed.data, vocabulary, index)
    const taken: GenerationStep[] = []
    let accepted = 0
    while (!row.finished && accepted === taken.length && accepted < guesses.length) {
      const result = row.check(logitsAt(accepted), guesses[accepted]!)
      taken.push(stepOf(result))
      if (result.accepted) accepted += 1
    }
    if (!row.finished && accepted === guesses.length) taken.push(stepOf(row.advance(logitsAt(accepted))))
    model.retract(guesses.length - accepted)
    if (guesses.length > 0) onSpeculation?.({ proposed: guesses.length, accepted })
    yield* taken
  }
}
