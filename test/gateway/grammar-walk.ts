// Answers that a constraint alone makes: the logits are random, so only the mask keeps the form.
import { createRandom } from '../../common/random.ts'
import type { Constraint } from '../../gateway/completion/request.ts'
import type { ServedModel } from '../../gateway/models/served-model.ts'

/** more than twice the vocabulary: each step takes another part */
const noise = (() => {
  const random = createRandom(1, 0)
  return Float32Array.from({ length: 40_009 }, () => random.uniform())
})()

export interface Walk {
  readonly ids: readonly number[]
  /** the answer; null where it was cut off */
  readonly text: string | null
}

/** Tokens drawn from random logits under the constraint; the end token and what closes are likelier, so that answers end. */
export function randomAnswer(
  { model, tokenizer }: ServedModel,
  constraint: Constraint,
  seed: number,
  most = 400
): Walk {
  const random = createRandom(seed, 0)
  const prompt = [5, 6, 7]
  const process = constraint.processor(prompt.length)
  const { vocabSize, eosTokenIds } = model.config
  const scores = new Float32Array(vocabSize)
  const closing = ['"', '}', ']', '"}', '"]', '}]', ']}'].flatMap(text => tokenizer.encode(text))
  const ids: number[] = []
  while (ids.length < most) {
    const from = Math.floor((random.uniform() * noise.length) / 2)
    scores.set(noise.subarray(from, from + vocabSize))
    for (const id of closing) scores[id]! += 0.4 * random.uniform()
    for (const id of eosTokenIds) scores[id] = 1 + random.uniform() * 0.5 - 0.25
    if (ids.length > 60) for (const id of closing) scores[id]! += 1
    process(scores, [...prompt, ...ids])
    let best = 0
    for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id
    if (eosTokenIds.includes(best)) return { ids, text: tokenizer.decode(ids) }
    ids.push(best)
  }
  return { ids, text: null }
}
