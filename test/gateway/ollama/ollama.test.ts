// Ollama's API through its own client, over a socket and a real swarm.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Ollama } from 'ollama'
import { served } from '../../../testing/gateway.ts'
import { useGateway } from '../../../testing/gateway-server.ts'
import { collectAll } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

describe("Ollama's API", () => {
  const used = useSwarm([[0, 12]])
  const gateway = useGateway(() => [
    served(used.model),
    served(used.model, { id: 'base', template: null }),
    served(used.model, {
      id: 'thinker:1b',
      template: { ...served(used.model).template!, source: '{# enable_thinking, tools #}' }
    })
  ])
  let client: Ollama
  before(() => {
    client = new Ollama({ host: gateway.url })
  })

  const prompt = '<|im_start|>user\nIt was a dark<|im_end|>\n<|im_start|>assistant\n'
  const messages = [{ role: 'user', content: 'It was a dark' }]
  const options = { temperature: 0, num_predict: 8 }
  const encode = (text: string): number[] => used.model.tokenizer.encode(text)

  async function expected(ids: readonly number[], tokens = 8): Promise<string> {
    const [row] = await used.model.generate([...ids], { maxNewTokens: tokens })
    return used.model.tokenizer.decode(row!.slice(ids.length))
  }
  const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${gateway.url}${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  const refusal = async (path: string, body: object): Promise<[number, string]> => {
    const answer = await post(path, body)
    const { error } = (await answer.json()) as { error: string }
    return [answer.status, error]
  }

  it('chats with the tokens of the SDK, whole and streamed, and measures its times', async () => {
    const whole = await client.chat({ model: 'tiny', messages, options })
    assert.equal(whole.message.content, await expected(encode(prompt)))
    assert.deepEqual([whole.done, whole.done_reason, whole.eval_count], [true, 'length', 8])
    assert.equal(whole.prompt_eval_count, encode(prompt).length)
    const { load_duration, prompt_eval_duration, eval_duration, total_duration } = whole
    for (const duration of [prompt_eval_duration, eval_duration]) assert.ok(duration > 10_000, `${duration} ns`)
    assert.ok(Math.abs(load_duration + prompt_eval_duration + eval_duration - total_duration) <= 3)

    const lines = await collectAll(await client.chat({ model: 'tiny:latest', messages, options, stream: true }))
    assert.equal(lines.map(({ message }) => message.content).join(''), whole.message.content)
    assert.deepEqual(lines.map(({ done }) => done).indexOf(true), lines.length - 1)
    assert.equal(lines.at(-1)?.eval_count, 8)
  })

  it('continues a last message of the assistant', async () => {
    const given = [...messages, { role: 'assistant', content: 'and stormy' }]
    const { message } = await client.chat({ model: 'tiny', messages: given, options })
    assert.equal(message.content, await expected(encode(`${prompt}and stormy`)))
  })

  it('generates with the template, raw, with a base model, and goes on with a context', async () => {
    const first = await client.generate({ model: 'tiny', prompt: 'It was a dark', options })
    assert.equal(first.response, await expected(encode(prompt)))
    const raw = await client.generate({ model: 'tiny', prompt: 'It was a dark', raw: true, options })
    const base = await client.generate({ model: 'base', prompt: 'It was a dark', options })
    assert.equal(raw.response, await expected(encode('It was a dark')))
    assert.equal(base.response, raw.response)
    assert.deepEqual(first.context.slice(0, encode(prompt).length), encode(prompt))
    const second = await client.generate({ model: 'tiny', prompt: 'Go on', context: first.context, options })
    const next = encode('<|im_start|>user\nGo on<|im_end|>\n<|im_start|>assistant\n')
    assert.equal(second.response, await expected([...first.context, ...next]))
    const streamed = await collectAll(
      await client.generate({ model: 'base', prompt: 'It was a dark', options, stream: true })
    )
    assert.equal(streamed.map(({ response }) => response).join(''), base.response)
    assert.deepEqual(streamed.at(-1)?.context, base.context)
  })

  it('stops at a text, and draws the same with the same seed', async () => {
    const whole = await expected(encode('It was a dark'))
    const stop = whole.slice(6, 9)
    const stopped = await client.generate({
      model: 'base',
      prompt: 'It was a dark',
      options: { ...options, stop: [stop] }
    })
    assert.equal(stopped.response, whole.slice(0, whole.indexOf(stop)))
    assert.equal(stopped.done_reason, 'stop')
    const drawn = { seed: 7, temperature: 1.5, num_predict: 8 }
    const draw = async (seed: number) =>
      (await client.generate({ model: 'base', prompt: 'It was a dark', options: { ...drawn, seed } })).response
    assert.equal(await draw(7), await draw(7))
    assert.notEqual(await draw(7), await draw(8))
  })

  it('answers in the form of a JSON Schema', async () => {
    const format = {
      type: 'object',
      properties: { city: { enum: ['Ulm', 'Bonn'] } },
      required: ['city'],
      additionalProperties: false
    }
    const { message } = await client.chat({
      model: 'tiny',
      messages,
      format,
      options: { temperature: 0, num_predict: 200 }
    })
    assert.ok(['Ulm', 'Bonn'].includes((JSON.parse(message.content) as { city: string }).city))
  })

  it('embeds texts as vectors of length 1, like the SDK', async () => {
    const texts = ['It was a dark night', 'Hello']
    const { embeddings, prompt_eval_count } = await client.embed({ model: 'tiny', input: texts })
    const { data, shape } = await used.model.embed(texts.map(encode))
    const norm = Math.hypot(...data.subarray(0, shape[1]))
    for (const [index, value] of embeddings[0]!.entries()) assert.ok(Math.abs(value - data[index]! / norm) < 1e-6)
    assert.ok(Math.abs(Math.hypot(...embeddings[1]!) - 1) < 1e-6)
    assert.equal(prompt_eval_count, texts.flatMap(encode).length)
    const { embedding } = await client.embeddings({ model: 'tiny', prompt: texts[0]! })
    assert.deepEqual(embedding, [...data.subarray(0, shape[1])])
    await assert.rejects(client.embed({ model: 'tiny', input: texts, dimensions: 3 }), /mean nothing when cut/)
    assert.deepEqual((await client.embed({ model: 'tiny', input: [] })).embeddings, [])
  })

  it('lists and describes models, and says that it is Ollama', async () => {
    const { models } = await client.list()
    assert.deepEqual(
      models.map(({ name }) => name),
      ['tiny:latest', 'base:latest', 'thinker:1b']
    )
    const [{ details, digest, size } = assert.fail()] = models
    assert.deepEqual([details.family, details.quantization_level, digest], ['llama', 'BF16', used.model.identity])
    assert.ok(size > 100_000)
    assert.deepEqual(
      (await client.ps()).models.map(({ name }) => name),
      models.map(({ name }) => name)
    )
    const shown = await client.show({ model: 'tiny' })
    const info = shown.model_info as unknown as Record<string, number>
    assert.deepEqual([info['llama.block_count'], info['llama.context_length']], [12, used.model.config.maxPositions])
    assert.deepEqual(shown.capabilities, ['completion', 'embedding'])
    assert.deepEqual((await client.show({ model: 'thinker:1b' })).capabilities, [
      'completion',
      'embedding',
      'tools',
      'thinking'
    ])
    assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/)
    const root = await fetch(gateway.url)
    assert.equal(await root.text(), 'Ollama is running')
    assert.equal((await fetch(gateway.url, { method: 'HEAD' })).status, 200)
  })

  it('reads bodies without a content type, and answers with lines', async () => {
    const body = { model: 'tiny', messages, options }
    for (const type of ['', 'application/x-www-form-urlencoded']) {
      const answer = await post('/api/chat', body, { 'content-type': type })
      assert.equal(answer.headers.get('content-type'), 'application/x-ndjson')
      const lines = (await answer.text()).trimEnd().split('\n')
      assert.equal((JSON.parse(lines.at(-1)!) as { done: boolean }).done, true)
    }
  })

  it('says what it does not do, by the name of the field', async () => {
    const chat = { model: 'tiny', messages, stream: false }
    assert.deepEqual(await refusal('/api/chat', { ...chat, options: { mirostat: 2 } }), [
      400,
      'options.mirostat: not supported: use top_p or min_p'
    ])
    assert.match(
      (await refusal('/api/chat', { ...chat, options: { flash: 1 } }))[1],
      /^options\.flash: unsupported field/
    )
    assert.match((await refusal('/api/chat', { ...chat, think: true }))[1], /^think: model 'tiny' does not think/)
    const penalty = { repeat_penalty: 1.1, repeat_last_n: 64 }
    assert.match((await refusal('/api/chat', { ...chat, options: penalty }))[1], /^options\.repeat_last_n: penalties/)
    const [status, message] = await refusal('/api/generate', { model: 'tiny', prompt: 'a', suffix: 'b' })
    assert.deepEqual([status, message], [400, 'suffix: not supported: models here write no text between two others'])
    assert.match(
      (await refusal('/api/generate', { model: 'base', prompt: 'a', system: 'b' }))[1],
      /^system: model 'base'/
    )
    assert.match((await refusal('/api/generate', { model: 'tiny', keep_alive: 0 }))[1], /^keep_alive: the servers/)
    assert.equal((await refusal('/api/chat', { model: 'other', messages }))[0], 404)
    assert.equal((await refusal('/api/pull', { model: 'llama3' }))[0], 501)
    const deleted = await fetch(`${gateway.url}/api/delete`, { method: 'DELETE', body: '{"model":"tiny"}' })
    assert.match(((await deleted.json()) as { error: string }).error, /stop the servers of the model/)
  })

  it('takes what changes nothing', async () => {
    const hints = {
      num_gpu: 1,
      num_thread: 4,
      use_mmap: true,
      mirostat: 0,
      typical_p: 1,
      repeat_last_n: 64,
      num_ctx: 1e6
    }
    const { message } = await client.chat({
      model: 'tiny',
      messages,
      options: { ...options, ...hints },
      keep_alive: '5m',
      think: false,
      format: ''
    })
    assert.equal(message.content, await expected(encode(prompt)))
    const load = await client.generate({ model: 'tiny', prompt: '' })
    assert.deepEqual([load.done, load.done_reason], [true, 'load'])
  })
})
