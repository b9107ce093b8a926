// Beam search over a table of probabilities: with beams enough it finds the best of all continuations; ends, stop strings.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { searchBeams } from '../../../client/generate/beam-search.ts'
import { type GenerationModel, type GenerationOptions, generateIds } from '../../../client/generate/index.ts'
import { planGeneration } from '../../../client/generate/options.ts'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'

const vocabulary = 4

const scoresAfter = (ids: readonly number[]): number[] => {
  const random = createRandom(3, 1 + 100 * ids.length + 10 * ids.at(-1)! + (ids.at(-2) ?? 0))
  return Array.from({ length: vocabulary }, () => 2 * random.normal())
}

/** Rows that go on from each other; what each holds is what its scores come from. */
function tableModel(): GenerationModel & { rows: number[][] } {
  const model = {
    rows: [] as number[][],
    logits: (): Float32Tensor => float32([model.rows.length, vocabulary], model.rows.flatMap(scoresAfter)),
    async prefill(rows: readonly (readonly number[])[]) {
      model.rows = rows.map(row => [...row])
      return model.logits()
    },
    async step(ids: readonly number[]) {
      for (const [row, id] of ids.entries()) model.rows[row]!.push(id)
      return model.logits()
    },
    reorder(parents: readonly number[]) {
      model.rows = parents.map(parent => [...model.rows[parent]!])
    }
  }
  return model
}

/** All continuations with the sums of their log probabilities, which end with `end` or at `most` tokens. */
function* continuations(
  prompt: number[],
  most: number,
  end: number,
  ids: number[] = [],
  sum = 0
): Iterable<[number[], number]> {
  if (ids.length === most || ids.at(-1) === end) {
    yield [ids, sum]
    return
  }
  const scores = scoresAfter([...prompt, ...ids])
  const total = Math.log(scores.reduce((all, score) => all + Math.exp(score), 0))
  for (const [id, score] of scores.entries()) yield* continuations(prompt, most, end, [...ids, id], sum + score - total)
}

suite('beam search', () => {
  for (const lengthPenalty of [0, 1, -0.5]) {
    test(`with beams enough finds the best of all continuations, length penalty ${lengthPenalty}`, async () => {
      const [end, maxNewTokens, numBeams] = [2, 4, 64]
      const options = {
        numBeams,
        maxNewTokens,
        lengthPenalty,
        earlyStopping: 'never',
        numReturnSequences: 8,
        eosTokenIds: [end]
      } as const
      const plan = planGeneration(options)
      const prompts = [[0, 1], [3], [1, 1, 3]]
      const found = await searchBeams(tableModel(), prompts, options, { ...plan, beams: plan.beams! })
      for (const [index, prompt] of prompts.entries()) {
        const all = [...continuations(prompt, maxNewTokens, end)]
          .map(([ids, sum]) => ({ ids, score: sum / ids.length ** lengthPenalty }))
          .toSorted((a, b) => b.score - a.score)
        assert.deepEqual(
          found[index]!.map(({ ids }) => ids),
          all.slice(0, 8).map(({ ids }) => ids)
        )
        for (const [place, { score }] of found[index]!.entries()) {
          assert.ok(Math.abs(score - all[place]!.score) < 1e-4)
        }
      }
    })
  }

  test('sequences that end early are padded, a stop string ends one too', async () => {
    const tokenizer = { decode: (ids: readonly number[]) => ids.map(id => 'abcd'[id]).join('') }
    const options: GenerationOptions = { numBeams: 3, maxNewTokens: 6, numReturnSequences: 3, padTokenId: 9 }
    const plain = await generateIds(tableModel(), [[0]], options)
    const text = tokenizer.decode(plain[0]!)
    const stopStrings = [text.slice(1, 3)]
    const stopped = await generateIds(tableModel(), [[0]], { ...options, lengthPenalty: 0, stopStrings, tokenizer })
    assert.ok(stopped.some(row => row.includes(9)))
    for (const row of stopped) {
      const said = tokenizer.decode(row.filter(id => id !== 9))
      const at = said.indexOf(stopStrings[0]!)
      assert.ok(at === -1 ? said.length === 6 : at === said.length - 2, said)
    }
  })
})
