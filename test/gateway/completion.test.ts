// Completions over a swarm: how tokens are chosen, what the text is cut at, probabilities of tokens, and when a session ends.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadTokenizer } from '../../client/index.ts'
import { complete } from '../../gateway/completion/complete.ts'
import { scorePrompt } from '../../gateway/completion/prompt-scores.ts'
import type { CompletionEvent, CompletionRequest, Sampling, ScoredToken } from '../../gateway/completion/request.ts'
import { scoredToken, shownBytes } from '../../gateway/completion/token-scores.ts'
import { served } from '../../testing/gateway.ts'
import { collectAll, referencePath } from '../../testing/references.ts'
import { until, useSwarm } from '../../testing/swarm.ts'

/** Text of each choice. */
function textsOf(events: readonly CompletionEvent[], n = 1): string[] {
  return Array.from({ length: n }, (_, choice) =>
    events.map(event => (event.choice === choice ? event.text : '')).join('')
  )
}

const bytesOf = (scores: readonly ScoredToken[]): string =>
  Buffer.from(scores.flatMap(({ bytes }) => bytes)).toString('utf8')

describe('completions', () => {
  const used = useSwarm([
    [0, 6],
    [6, 12]
  ])

  const requestOf = (sampling: Sampling, more: Partial<CompletionRequest> = {}): CompletionRequest => ({
    model: served(used.model),
    prompt: used.model.tokenizer.encode('It was a dark'),
    sampling: { maxTokens: 12, ...sampling },
    signal: new AbortController().signal,
    ...more
  })
  const answer = (sampling: Sampling, more: Partial<CompletionRequest> = {}): Promise<CompletionEvent[]> =>
    collectAll(complete(requestOf(sampling, more)))
  const idsOf = (events: readonly CompletionEvent[]): number[] => events.flatMap(({ tokenIds }) => tokenIds)

  it('subtracts the penalties of OpenAI from logits of tokens of the answer, not of the prompt', async () => {
    const { signal } = new AbortController()
    const prompt = used.model.tokenizer.encode('the the the the the the')
    const greedy = idsOf(await answer({ temperature: 0, maxTokens: 10 }, { prompt, signal }))
    const penalized = { temperature: 0, maxTokens: 10, presencePenalty: 2, frequencyPenalty: 1.5 }
    const found = idsOf(await answer(penalized, { prompt, signal }))
    // the same by hand: logits of the whole text at every position
    const expected: number[] = []
    while (expected.length < found.length) {
      const ids = [...prompt, ...expected]
      const { logits } = await used.model.forward({ inputIds: [ids] }, { training: false })
      const scores = logits!.data.slice(-used.model.config.vocabSize)
      for (const id of new Set(expected)) scores[id]! -= 2 + 1.5 * expected.filter(other => other === id).length
      expected.push(scores.indexOf(scores.reduce((most, score) => Math.max(most, score))))
    }
    assert.deepEqual(found, expected)
    assert.notDeepEqual(found, greedy)
  })

  it('adds biases to logits, and refuses tokens that do not exist', async () => {
    const [first] = idsOf(await answer({ temperature: 0, maxTokens: 1 }))
    const wanted = 77
    assert.deepEqual(idsOf(await answer({ temperature: 0, maxTokens: 3, logitBias: new Map([[wanted, 100]]) })), [
      ...[wanted, wanted, wanted]
    ])
    const banned = idsOf(await answer({ temperature: 0, maxTokens: 8, logitBias: new Map([[first!, -100]]) }))
    assert.ok(!banned.includes(first!))
    await assert.rejects(answer({ logitBias: new Map([[4096, 1]]) }), { status: 400, param: 'logit_bias' })
  })

  it('gives each choice a stream of random numbers of its own, the same for the same seed beside others', async () => {
    const sampling = { temperature: 1, seed: -7, maxTokens: 10 }
    const [alone, ...others] = await Promise.all([
      answer(sampling, { n: 3 }),
      answer(sampling, { n: 3 }),
      answer({ temperature: 1, seed: 8 }, { n: 2 }),
      answer({ temperature: 0 })
    ])
    const texts = textsOf(alone!, 3)
    assert.equal(new Set(texts).size, 3)
    assert.deepEqual(textsOf(others[0]!, 3), texts)
    assert.equal(textsOf(await answer(sampling))[0], texts[0])
    assert.notDeepEqual(textsOf(others[1]!, 2), texts.slice(0, 2))
  })

  it('draws from all tokens where the request gives no top_k', async () => {
    // the 50 likeliest of transformers would never give one of the others at this temperature
    const { tokenizer } = used.model
    const prompt = tokenizer.encode('It was a dark')
    const { logits } = await used.model.forward({ inputIds: [prompt] }, { training: false })
    const scores = [...logits!.data.slice(-4096)].map((score, id) => ({ score, id })).sort((a, b) => b.score - a.score)
    const likeliest = new Set(scores.slice(0, 50).map(({ id }) => id))
    const all = idsOf(await answer({ temperature: 50, seed: 1, maxTokens: 1 }, { n: 8 }))
    assert.ok(all.some(id => !likeliest.has(id)))
    const few = idsOf(await answer({ temperature: 50, topK: 50, seed: 1, maxTokens: 1 }, { n: 8 }))
    assert.ok(few.every(id => likeliest.has(id)))
  })

  it('ends before a stop text, also across tokens, and names it', async () => {
    const [whole] = textsOf(await answer({ temperature: 0 }))
    const stop = whole!.slice(7, 12)
    const events = await answer({ temperature: 0, stop: ['never there', stop] }, { topLogprobs: 0 })
    assert.equal(textsOf(events)[0], whole!.slice(0, whole!.indexOf(stop)))
    assert.equal(events.at(-1)!.finish, 'stop')
    assert.equal(events.at(-1)!.stopText, stop)
    const [limited] = (await answer({ temperature: 0, maxTokens: 2 })).slice(-1)
    assert.equal(limited!.finish, 'length')
    assert.equal(limited!.stopText, undefined)
  })

  it('scores every token, whose bytes joined are the answer, also where tokens are parts of characters', async () => {
    const { tokenizer } = used.model
    const prompt = tokenizer.encode('It was a dark')
    const plain = await answer({ temperature: 0 }, { topLogprobs: 3 })
    const scores = plain.flatMap(({ logprobs }) => logprobs)
    assert.equal(bytesOf(scores), textsOf(plain)[0])
    assert.equal(scores.map(({ text }) => text).join(''), textsOf(plain)[0])
    const { logits } = await used.model.forward({ inputIds: [prompt] }, { training: false })
    const last = logits!.data.slice(-4096)
    const total = Math.log(last.reduce((sum, logit) => sum + Math.exp(logit), 0))
    assert.ok(Math.abs(scores[0]!.logprob - (last[scores[0]!.id]! - total)) < 0.01)
    assert.deepEqual(
      scores[0]!.top.map(({ logprob }) => logprob),
      scores[0]!.top.map(({ logprob }) => logprob).toSorted((a, b) => b - a)
    )
    // an emoji of several tokens, by a constraint that leaves only them
    const emoji = tokenizer.encode('😀', { addSpecialTokens: false })
    assert.ok(emoji.length > 1)
    const constraint = {
      processor: (begin: number) => (all: Float32Array, ids: readonly number[]) => {
        const wanted = emoji[(ids.length - begin) % emoji.length]!
        for (let id = 0; id < all.length; id++) if (id !== wanted) all[id] = -Infinity
      }
    }
    const forced = await answer({ temperature: 0, maxTokens: emoji.length }, { constraint, topLogprobs: 0 })
    const parts = forced.flatMap(({ logprobs }) => logprobs)
    assert.equal(textsOf(forced)[0], '😀')
    assert.equal(bytesOf(parts), '😀')
    assert.match(parts[0]!.text, /^(?:\\x[0-9a-f]{2})+$/)
    assert.deepEqual(
      forced.map(({ text }) => text),
      [...emoji.slice(1).map(() => ''), '😀']
    )
  })

  it('shows the special tokens that it is told to show, and leaves out the others', async () => {
    const { tokenizer } = used.model
    const [start, end] = ['<|im_start|>', '<|im_end|>'].map(token => tokenizer.idOf(token)!)
    const ids = [...tokenizer.encode('a 😀'), start!, end!, ...tokenizer.encode(' b')]
    const constraint = {
      processor: (begin: number) => (all: Float32Array, row: readonly number[]) => {
        for (let id = 0; id < all.length; id++) if (id !== ids[row.length - begin]) all[id] = -Infinity
      }
    }
    const sampling = { temperature: 0, maxTokens: ids.length, stop: ['<|im_start|><|im_end|> b'] }
    const shown = await answer(sampling, { constraint, topLogprobs: 0, shownTokens: [start!] })
    assert.equal(textsOf(shown)[0], 'a 😀')
    assert.equal(shown.at(-1)!.stopText, '<|im_start|><|im_end|> b')
    const free = await answer({ ...sampling, stop: [] }, { constraint, topLogprobs: 0, shownTokens: [start!] })
    assert.equal(textsOf(free)[0], 'a 😀<|im_start|> b')
    assert.equal(bytesOf(free.flatMap(({ logprobs }) => logprobs)), 'a 😀<|im_start|> b')
    const hidden = await answer({ ...sampling, stop: [] }, { constraint, topLogprobs: 0 })
    assert.equal(textsOf(hidden)[0], 'a 😀 b')
    assert.equal(bytesOf(hidden.flatMap(({ logprobs }) => logprobs)), 'a 😀 b')
  })

  it('scores the tokens of a prompt as an answer with the same tokens has scored them', async () => {
    const { tokenizer } = used.model
    const prompt = tokenizer.encode('It was a dark')
    const { signal } = new AbortController()
    const answered = await answer({ temperature: 0, maxTokens: 6 }, { prompt, topLogprobs: 2 })
    const expected = answered.flatMap(({ logprobs }) => logprobs)
    const model = served(used.model)
    const whole = [...prompt, ...idsOf(answered)]
    const [first, ...scores] = await scorePrompt({ model, prompt: whole, topLogprobs: 2, signal })
    assert.equal(first!.logprob, null)
    assert.equal(Buffer.from([first!, ...scores].flatMap(({ bytes }) => bytes)).toString(), tokenizer.decode(whole))
    const found = scores.slice(prompt.length - 1)
    assert.deepEqual(
      found.map(({ id, text, top }) => [id, text, top.map(other => other.id)]),
      expected.map(({ id, text, top }) => [id, text, top.map(other => other.id)])
    )
    for (const [at, { logprob }] of found.entries()) assert.ok(Math.abs(logprob! - expected[at]!.logprob) < 0.02)
    const small = served(used.model, { contextLength: 4 })
    await assert.rejects(scorePrompt({ model: small, prompt: whole, signal }), /at most 4 tokens, found/)
  })

  it('guesses tokens where the model says so, with the same answer', async () => {
    const prompt = used.model.tokenizer.encode('the cat sat on the mat, the cat sat on the')
    const sampling = { temperature: 0, maxTokens: 24, frequencyPenalty: 0.2, stop: ['!!'] }
    const plain = await answer(sampling, { prompt, topLogprobs: 1 })
    const model = served(used.model, { speculation: { promptLookupNumTokens: 3 } })
    const guessed = await answer(sampling, { prompt, topLogprobs: 1, model })
    assert.deepEqual(idsOf(guessed), idsOf(plain))
    assert.equal(textsOf(guessed)[0], textsOf(plain)[0])
    assert.equal((await answer(sampling, { prompt, model, n: 2 })).length, 48)
  })

  it('shows a token of SentencePiece with its space', async () => {
    const tokenizer = await loadTokenizer(referencePath('sentence-piece'))
    const ids = tokenizer.encode('Hello world, hello', { addSpecialTokens: false })
    const texts = ids
      .slice(1)
      .map((id, at) => scoredToken(tokenizer, ids.slice(0, at + 1), id, { logprob: 0, top: [] }))
    const joined = tokenizer.decode(ids.slice(0, 1)) + texts.map(({ text }) => text).join('')
    assert.equal(joined, tokenizer.decode(ids))
    assert.ok(texts.some(({ text }) => text.startsWith(' ')))
  })

  it('writes bytes that are no characters as OpenAI does', () => {
    assert.equal(shownBytes([0x20, 0xf0, 0x9f, 0x92]), ' \\xf0\\x9f\\x92')
    assert.equal(shownBytes([...Buffer.from('aé😀')]), 'aé😀')
    assert.equal(shownBytes([0xa9, 0x41]), '\\xa9A')
  })

  it('refuses what the context has no room for with both numbers, and fills it where nothing is asked', async () => {
    const model = served(used.model, { contextLength: 20 })
    const prompt = used.model.tokenizer.encode('It was a dark').slice(0, 4)
    assert.equal((await answer({ temperature: 0, maxTokens: undefined }, { model, prompt })).length, 16)
    assert.equal((await answer({ temperature: 0, maxTokens: 16 }, { model, prompt })).length, 16)
    await assert.rejects(answer({ maxTokens: 17 }, { model, prompt }), (error: Error) => {
      assert.match(error.message, /context of 20 tokens.*needs 21 \(4 of the prompt, 17 of the answer\)/)
      assert.equal((error as unknown as { code: string }).code, 'context_length_exceeded')
      return true
    })
    const long = Array<number>(20).fill(5)
    await assert.rejects(answer({}, { model, prompt: long }), /context of 20 tokens, the prompt has 20/)
  })

  it('ends with no token that a constraint leaves nothing of', async () => {
    const constraint = { processor: () => (scores: Float32Array) => void scores.fill(-Infinity) }
    await assert.rejects(answer({ temperature: 0 }, { constraint }), /leaves no token/)
  })

  it('frees the session at once when the loop is left, and within a step when the request is aborted', async () => {
    const { servers } = used.swarm
    const open = (): number => servers.reduce((sum, server) => sum + server.sessions, 0)
    const left = complete(requestOf({ temperature: 0, maxTokens: 500 }, { n: 2 }))
    await left.next()
    assert.equal(open(), 2)
    await left.return(undefined)
    await until(() => open() === 0)

    const controller = new AbortController()
    let seen = 0
    await assert.rejects(async () => {
      for await (const _ of complete(requestOf({ temperature: 0, maxTokens: 500 }, { signal: controller.signal }))) {
        seen += 1
        if (seen === 3) controller.abort()
      }
    })
    assert.equal(seen, 3)
    await until(() => open() === 0)
  })
})
