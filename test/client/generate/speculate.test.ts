// Speculative decoding over models made of tables: what comes out is what would have come out without a draft.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createProcessors,
  type Draft,
  type GenerationModel,
  type GenerationOptions,
  generate,
  generateIds,
  lookUp
} from '../../../client/generate/index.ts'
import { scoresOf } from '../../../client/generate/sampling.ts'
import { verify } from '../../../client/generate/verify.ts'
import { createRandom } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import { collectAll } from '../../../testing/references.ts'

/** A model whose scores depend on the last two tokens; it notes the lengths of its passes, and that what it holds is right. */
function tableModel(
  vocabulary: number,
  seed: number
): Required<Omit<GenerationModel, 'reorder'>> & { passes: number[]; held: number[] } {
  const held: number[] = []
  const passes: number[] = []
  const take = (ids: readonly number[]): number[] => {
    passes.push(ids.length)
    return ids.flatMap(id => {
      held.push(id)
      return scoresAfter(vocabulary, seed, held)
    })
  }
  return {
    held,
    passes,
    async prefill(rows) {
      held.push(...rows[0]!)
      return float32([1, vocabulary], scoresAfter(vocabulary, seed, held))
    },
    step: async ids => float32([1, vocabulary], take(ids)),
    extend: async ids => float32([ids.length, vocabulary], take(ids)),
    retract: count => void held.splice(held.length - count)
  }
}

function scoresAfter(vocabulary: number, seed: number, ids: readonly number[]): number[] {
  const random = createRandom(seed, 1 + vocabulary * ids.at(-1)! + (ids.at(-2) ?? 0))
  return Array.from({ length: vocabulary }, () => 1.5 * random.normal())
}

/** Guesses that are right, wrong or drawn, in a fixed disorder. */
function noisyDraft(vocabulary: number, seed: number): Draft {
  const random = createRandom(99)
  return {
    propose: (ids, count) => {
      const said = [...ids]
      return Array.from({ length: random.integer(count + 1) }, () => {
        const scores = scoresAfter(vocabulary, seed, said)
        const best = scores.indexOf(Math.max(...scores))
        const token = random.uniform() < 0.7 ? best : random.integer(vocabulary)
        said.push(token)
        return { token }
      })
    }
  }
}

/** Draws its guesses from a distribution of its own, which is not the model's. */
function drawingDraft(vocabulary: number): Draft {
  const random = createRandom(7)
  const weights = Array.from({ length: vocabulary }, (_, id) => 1 + id)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const probabilities = Float32Array.from(weights, weight => weight / total)
  return {
    propose: (_, count) =>
      Array.from({ length: count }, () => {
        let rest = random.uniform()
        const token = probabilities.findIndex(probability => {
          rest -= probability
          return rest < 0
        })
        return { token: token === -1 ? vocabulary - 1 : token, probabilities }
      })
  }
}

/** Letters; the last token is special. */
const tokenizer = { decode: (ids: readonly number[]) => ids.map(id => String.fromCharCode(97 + id)).join('') }

suite('prompt lookup', () => {
  test('guesses what followed the longest match, the latest with enough after it', () => {
    assert.deepEqual(lookUp([1, 2, 3, 4, 9, 1, 2], 3), [3, 4, 9])
    assert.deepEqual(lookUp([1, 2, 5, 6, 1, 2, 7, 8, 1, 2], 2), [7, 8])
    assert.deepEqual(lookUp([1, 2, 5, 6, 1, 2, 7, 8, 1, 2], 5), [5, 6, 1, 2, 7])
    assert.deepEqual(lookUp([3, 2, 5, 4, 2], 2), [5, 4], 'a shorter match where there is no longer one')
    assert.deepEqual(lookUp([4, 4, 4], 2, 1), [4, 4])
    assert.deepEqual(lookUp([1, 2, 3], 4), [])
    assert.deepEqual(lookUp([1], 4), [])
  })
})

suite('speculative decoding', () => {
  const vocabulary = 6
  const greedy: GenerationOptions = { maxNewTokens: 40, tokenizer }

  for (const [name, more] of Object.entries<GenerationOptions>({
    plain: {},
    'a repetition penalty': { repetitionPenalty: 1.3 },
    'an end token': { eosTokenIds: [3], repetitionPenalty: 1.4 },
    'a stop string': { stopStrings: ['bc', 'ea', 'df'], repetitionPenalty: 1.2 }
  })) {
    test(`greedy steps with ${name} are those without a draft, in fewer passes`, async () => {
      let [passes, tokens] = [0, 0]
      for (let seed = 0; seed < 30; seed++) {
        const prompt = [seed % vocabulary, (seed + 2) % vocabulary]
        const expected = await collectAll(generate(tableModel(vocabulary, seed), [prompt], { ...greedy, ...more }))
        for (const speculation of [{ promptLookupNumTokens: 4 }, { draft: noisyDraft(vocabulary, seed) }]) {
          const model = tableModel(vocabulary, seed)
          const found = await collectAll(generate(model, [prompt], { ...greedy, ...more, ...speculation }))
          assert.deepEqual(found, expected)
          const said = [...prompt, ...found.map(step => step.tokens[0]!)]
          assert.deepEqual(model.held.slice(0, said.length - 1), said.slice(0, -1))
          assert.ok(model.held.length <= prompt.length + greedy.maxNewTokens! - 1, 'room of the session')
          passes += model.passes.length
          tokens += found.length
        }
      }
      assert.ok(passes < 0.8 * tokens, `${passes} passes for ${tokens} tokens`)
    })
  }

  test('tells how many guesses there were and how many stood', async () => {
    const told: unknown[] = []
    const model = tableModel(vocabulary, 1)
    const [first] = await generateIds(tableModel(vocabulary, 1), [[0]], { maxNewTokens: 9 })
    const draft: Draft = {
      propose: ids =>
        [first![ids.length - 1]!, first![ids.length]!, (first![ids.length + 1]! + 1) % vocabulary].map(token => ({
          token
        }))
    }
    const options = { maxNewTokens: 9, draft, numAssistantTokens: 3, onSpeculation: (pass: unknown) => told.push(pass) }
    assert.deepEqual(await generateIds(model, [[0]], options), [first])
    assert.deepEqual(told, [
      { proposed: 3, accepted: 2 },
      { proposed: 3, accepted: 2 },
      { proposed: 1, accepted: 1 }
    ])
    assert.deepEqual(model.passes, [4, 4, 2])
  })

  test('a guess that is no token of the model is none, nor those after it', async () => {
    const expected = await generateIds(tableModel(vocabulary, 2), [[0]], { maxNewTokens: 6 })
    const draft: Draft = { propose: () => [{ token: 2 }, { token: vocabulary }, { token: 1 }] }
    const model = tableModel(vocabulary, 2)
    assert.deepEqual(await generateIds(model, [[0]], { maxNewTokens: 6, draft }), expected)
    assert.ok(model.passes.every(length => length <= 2))
  })

  test('refuses several rows, two drafts, and a model that takes nothing back', async () => {
    const run = (prompts: number[][], options: GenerationOptions, model: GenerationModel = tableModel(vocabulary, 1)) =>
      generateIds(model, prompts, options)
    await assert.rejects(run([[1], [2]], { promptLookupNumTokens: 2 }), { code: 'UNSUPPORTED', message: /one row/ })
    const both = { promptLookupNumTokens: 2, draft: noisyDraft(vocabulary, 1) }
    await assert.rejects(run([[1]], both), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(run([[1]], { promptLookupNumTokens: 0 }), { code: 'INVALID_ARGUMENT' })
    const { prefill, step } = tableModel(vocabulary, 1)
    await assert.rejects(run([[1]], { promptLookupNumTokens: 2 }, { prefill, step }), { code: 'UNSUPPORTED' })
  })
})

suite('speculative sampling', () => {
  test('a position has the probabilities of the model, whatever the draft', () => {
    const scores = Float32Array.from([1, 0.2, -Infinity, 2, -1])
    const expected = softmax(scores)
    const drafts = [
      () => ({ token: 3 }),
      () => ({ token: 2 }), // never
      (
        (draft: Draft) => () =>
          (draft.propose([], 1, {}) as { token: number; probabilities: Float32Array }[])[0]!
      )(drawingDraft(5))
    ]
    for (const [index, propose] of drafts.entries()) {
      const random = createRandom(11, index)
      const counts = new Map<string, number>()
      for (let draw = 0; draw < 20_000; draw++) count(counts, `${verify(scores, propose(), random).token}`)
      assertDistribution(counts, new Map([...expected].map((probability, id) => [`${id}`, probability])))
    }
  })

  test('sequences have the probabilities of the model, with processors and an end token', async () => {
    const vocabulary = 4
    const options = { doSample: true, temperature: 0.8, topK: 3, repetitionPenalty: 1.3, eosTokenIds: [2] }
    const prompt = [0, 1, 0, 3]
    const maxNewTokens = 3
    const expected = new Map<string, number>()
    const processors = createProcessors(options)
    const grow = (ids: readonly number[], probability: number): void => {
      const isOver = ids.at(-1) === 2 || ids.length === prompt.length + maxNewTokens
      if (isOver) return void expected.set(ids.slice(prompt.length).join(), probability)
      const scores = scoresOf(Float32Array.from(scoresAfter(vocabulary, 5, ids)), ids, processors)
      for (const [id, share] of softmax(scores).entries()) if (share > 0) grow([...ids, id], probability * share)
    }
    grow(prompt, 1)
    for (const speculation of [{ promptLookupNumTokens: 2 }, { draft: drawingDraft(vocabulary) }]) {
      const counts = new Map<string, number>()
      for (let seed = 0; seed < 6000; seed++) {
        const all = { ...options, ...speculation, seed, maxNewTokens }
        const [ids] = await generateIds(tableModel(vocabulary, 5), [prompt], all)
        count(counts, ids!.join())
      }
      assertDistribution(counts, expected)
    }
  })
})

function softmax(scores: Float32Array): number[] {
  const weights = [...scores].map(score => Math.exp(score))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map(weight => weight / total)
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, 1 + (counts.get(key) ?? 0))
}

/** Pearson's test: fails for fixed seeds only where the distributions differ; the bound is that of 1 in 10,000 (Wilson and Hilferty). */
function assertDistribution(counts: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): void {
  const draws = [...counts.values()].reduce((sum, each) => sum + each, 0)
  for (const key of counts.keys()) assert.ok((expected.get(key) ?? 0) > 0, `${key} cannot come`)
  let [statistic, classes] = [0, 0]
  // classes that hardly come are one
  const rest = { found: 0, due: 0 }
  const add = (found: number, due: number): void => {
    statistic += (found - due) ** 2 / due
    classes += 1
  }
  for (const [key, probability] of expected) {
    const [found, due] = [counts.get(key) ?? 0, draws * probability]
    if (due >= 5) add(found, due)
    else {
      rest.found += found
      rest.due += due
    }
  }
  if (rest.due >= 5) add(rest.found, rest.due)
  const freedom = classes - 1
  const bound = freedom * (1 - 2 / (9 * freedom) + 3.719 * Math.sqrt(2 / (9 * freedom))) ** 3
  assert.ok(freedom > 1 && statistic < bound, `chi-square ${statistic} of ${freedom} degrees, at most ${bound}`)
}
