// Completions of plain prompts through OpenAI's own client.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import OpenAI from 'openai'
import { served } from '../../../testing/gateway.ts'
import { useGateway } from '../../../testing/gateway-server.ts'
import { collectAll } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

describe('completions', () => {
  const used = useSwarm([[0, 12]])
  const gateway = useGateway(() => [served(used.model, { template: null })])

  async function expected(prompt: string, tokens: number): Promise<string> {
    const { tokenizer } = used.model
    const ids = tokenizer.encode(prompt)
    const [row] = await used.model.generate(ids, { maxNewTokens: tokens })
    return tokenizer.decode(row!.slice(ids.length))
  }

  it('answers texts and token ids with the tokens of the SDK, every prompt with n choices', async () => {
    const { tokenizer } = used.model
    const texts = ['It was a dark', 'Once upon a time']
    const wanted = await Promise.all(texts.map(text => expected(text, 6)))
    const create = async (prompt: string[] | number[][]) => {
      const answer = await gateway.client.completions.create({
        model: 'tiny',
        prompt,
        n: 2,
        max_tokens: 6,
        temperature: 0
      })
      const tokens = texts.reduce((sum, text) => sum + tokenizer.encode(text).length, 0)
      assert.deepEqual(
        { ...answer.usage },
        {
          prompt_tokens: tokens,
          completion_tokens: 24,
          total_tokens: tokens + 24,
          completion_tokens_details: { reasoning_tokens: 0 }
        }
      )
      return answer.choices
    }
    for (const prompt of [texts, texts.map(text => tokenizer.encode(text))]) {
      assert.deepEqual(
        await create(prompt),
        [wanted[0], wanted[0], wanted[1], wanted[1]].map((text, index) => ({
          index,
          text,
          logprobs: null,
          finish_reason: 'length'
        }))
      )
    }
  })

  it('streams them, with the prompt where it is to be repeated', async () => {
    const stream = await gateway.client.completions.create({
      model: 'tiny',
      prompt: 'It was a dark',
      echo: true,
      temperature: 0,
      stream: true
    })
    const chunks = await collectAll(stream)
    const text = chunks.map(chunk => chunk.choices[0]?.text).join('')
    assert.equal(text, `It was a dark${await expected('It was a dark', 16)}`)
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length')
  })

  it('tells log probabilities and where tokens begin', async () => {
    const { choices } = await gateway.client.completions.create({
      model: 'tiny',
      prompt: 'It was a dark',
      logprobs: 2,
      max_tokens: 4,
      temperature: 0
    })
    const { tokens, token_logprobs: scores, top_logprobs: top, text_offset: offsets } = choices[0]!.logprobs!
    assert.equal(tokens?.join(''), choices[0]?.text)
    const places = tokens!.map((_, at) => [...tokens!.slice(0, at).join('')].length)
    assert.deepEqual(offsets, places)
    // greedy: the likeliest token is the one that was chosen
    assert.deepEqual(
      scores,
      top?.map((scored, at) => scored[tokens![at]!])
    )
    assert.ok(top?.every(scored => Object.keys(scored).length === 2))
  })

  it('tells log probabilities of an echoed prompt, as evaluations ask for them', async () => {
    const prompts = ['It was a dark', 'Once upon a time']
    const asked = { model: 'tiny', prompt: prompts, echo: true, logprobs: 1, max_tokens: 0 }
    const { choices } = await gateway.client.completions.create(asked)
    for (const [at, prompt] of prompts.entries()) {
      const { tokens, token_logprobs: scores, top_logprobs: top, text_offset: offsets } = choices[at]!.logprobs!
      assert.equal(choices[at]!.text, prompt)
      assert.equal(tokens!.join(''), prompt)
      assert.deepEqual([scores![0], top![0], offsets![0]], [null, null, 0])
      const ids = used.model.tokenizer.encode(prompt)
      const { loss } = await used.model.forward({ inputIds: [ids], labels: [ids] }, { training: false })
      const mean = scores!.slice(1).reduce((sum, score) => sum + score!, 0) / (ids.length - 1)
      assert.ok(Math.abs(mean + loss!.value) < 1e-4, `${mean}, ${loss!.value}`)
    }
    const stream = await gateway.client.completions.create({
      ...asked,
      prompt: prompts[0]!,
      max_tokens: 2,
      stream: true
    })
    const chunks = await collectAll(stream)
    const tokens = chunks.flatMap(chunk => chunk.choices[0]?.logprobs?.tokens ?? [])
    assert.equal(tokens.join(''), chunks.map(chunk => chunk.choices[0]?.text).join(''))
  })

  it('refuses what it cannot do, by name', async () => {
    const create = (fields: object): Promise<unknown> =>
      gateway.client.completions.create({ model: 'tiny', prompt: 'It', ...fields })
    const { vocabSize } = used.model.tokenizer
    await assert.rejects(
      create({ prompt: [1, vocabSize] }),
      new RegExp(`prompt: expected token ids below ${vocabSize}`)
    )
    await assert.rejects(create({ suffix: 'end' }), /suffix: not supported/)
    await assert.rejects(create({ best_of: 2 }), /best_of: not supported/)
    await assert.rejects(create({ prompt: ['a', 'b'], n: 65 }), /at most 128 choices in all/)
    await assert.rejects(create({ model: 'large' }), OpenAI.NotFoundError)
  })

  it('tells of one model, and which there are', async () => {
    assert.equal((await gateway.client.models.retrieve('tiny')).id, 'tiny')
    await assert.rejects(gateway.client.models.retrieve('huge'), (error: InstanceType<typeof OpenAI.APIError>) => {
      assert.ok(error instanceof OpenAI.NotFoundError)
      assert.equal(error.code, 'model_not_found')
      return true
    })
  })
})
