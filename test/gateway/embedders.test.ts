// Encoders, encoders of encoder-decoder models, and folders of sentence-transformers, opened as `swarm api` opens them.
import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Command } from 'commander'
import OpenAI from 'openai'
import { type ApiFlags, addGatewayOptions } from '../../cli/gateway/options.ts'
import { openModels } from '../../cli/gateway/served.ts'
import { AutoDistributedModelForFeatureExtraction, type DistributedModel } from '../../client/index.ts'
import { ModelRegistry } from '../../gateway/models/registry.ts'
import type { Served } from '../../gateway/models/served-model.ts'
import { type GatewayServer, listen } from '../../testing/gateway-server.ts'
import { assertClose, tinyPath } from '../../testing/references.ts'
import { writeSentenceModules } from '../../testing/sentence-folder.ts'
import { startSwarm } from '../../testing/swarm.ts'

const models = join(tinyPath, '..')
const texts = ['A dog runs.', 'It was a dark and stormy night, and the rain fell.', 'Once']

describe('models that make vectors', () => {
  const open: AsyncDisposable[] = []
  let folder: string
  let server: GatewayServer
  let client: OpenAI
  let flags: ApiFlags
  let peers: string[]
  let listed: readonly Served[]

  /** A copy with modules: the first token, a dense layer to 3 numbers, prompts, 24 tokens at most. */
  async function withModules(name: string, width: number): Promise<string> {
    const path = join(folder, `${name}-sentences`)
    await cp(join(models, name), path, { recursive: true })
    await writeSentenceModules(path, { width })
    return path
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'swarmtune-embedders-'))
    process.env.SWARM_HOME = folder
    const bert = await withModules('tiny-bert', 128)
    const tiny = await withModules('tiny', 192)
    const paths = [join(models, 'tiny-bert'), bert, join(models, 'tiny-t5'), tiny]
    const halves = [
      [0, 2],
      [2, 4]
    ] as const
    for (const [path, ranges] of [
      [paths[0]!, halves],
      [paths[2]!, [[0, 3]]],
      [tiny, [[0, 12]]]
    ] as const) {
      open.push(await startSwarm(ranges, { path }))
    }
    peers = (open as unknown as { join: string[] }[]).flatMap(swarm => [...swarm.join])
    const command = addGatewayOptions(new Command()).exitOverride()
    flags = {
      ...command.parse([], { from: 'user' }).opts<ApiFlags>(),
      join: peers,
      mdns: false,
      logLevel: 'silent'
    } as never
    const registry = new ModelRegistry()
    open.push(await openModels(paths, registry, flags, new AbortController().signal))
    listed = registry.list()
    server = await listen(listed)
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
  })

  after(async () => {
    await server?.stop()
    for (const each of open.toReversed()) await each[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const pathOf = (id: string): string => listed.find(each => each.id === id)!.model.parts.checkpoint.path

  async function withOwn<Result>(id: string, use: (model: DistributedModel) => Promise<Result>): Promise<Result> {
    const model = await AutoDistributedModelForFeatureExtraction.fromPretrained(pathOf(id), {
      initialPeers: peers,
      home: null
    })
    try {
      return await use(model)
    } finally {
      await model.close()
    }
  }

  const post = async (path: string, body: object): Promise<{ status: number; body: Record<string, never> }> => {
    const answer = await fetch(`${server.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' }
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, never> }
  }

  for (const [id, width] of [
    ['tiny-bert', 128],
    ['tiny-bert-sentences', 3],
    ['tiny-t5', 128],
    ['tiny-sentences', 3]
  ] as const) {
    it(`gives vectors of ${id} as the folder says, in every dialect and format`, async () => {
      const { expected, raw, tokens } = await withOwn(id, async model => {
        const ids = await Promise.all(texts.map(text => model.sentenceIds(text)))
        const { data, shape } = await model.encode(texts, { normalize: true })
        assert.deepEqual(shape, [3, width])
        const { data: raw } = await model.encode(texts[0]!)
        return {
          expected: texts.map((_, at) => data.subarray(at * width, (at + 1) * width)),
          raw,
          tokens: ids.flat().length
        }
      })
      for (const format of ['float', undefined] as const) {
        const { data, usage } = await client.embeddings.create({
          model: id,
          input: texts,
          dimensions: width,
          ...(format && { encoding_format: format })
        })
        assert.deepEqual({ ...usage }, { prompt_tokens: tokens, total_tokens: tokens })
        for (const [at, { embedding, index }] of data.entries()) {
          assert.equal(index, at)
          assertClose(embedding, expected[at]!, 1e-5, texts[at]!)
        }
      }
      const embedded = await post('/api/embed', { model: `${id}:latest`, input: texts })
      assert.equal(embedded.body.prompt_eval_count, tokens)
      for (const [at, vector] of (embedded.body.embeddings as number[][]).entries())
        assertClose(vector, expected[at]!, 1e-5, texts[at]!)
      const older = await post('/api/embeddings', { model: id, prompt: texts[0] })
      assertClose(older.body.embedding, raw, 1e-5, 'of its own length')
      await assert.rejects(
        client.embeddings.create({ model: id, input: 'a', dimensions: 2 }),
        new RegExp(`have ${width} numbers`)
      )
    })
  }

  it('cuts or refuses texts that are too long', async () => {
    const text = 'the rain '.repeat(200)
    const id = 'tiny-bert-sentences'
    await assert.rejects(
      client.embeddings.create({ model: id, input: ['a', text] }),
      (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.deepEqual([error.status, error.code, error.param], [400, 'context_length_exceeded', 'input[1]'])
        assert.match(error.message, /has room for 24/)
        return true
      }
    )
    const refused = await post('/api/embed', { model: id, input: text, truncate: false })
    assert.deepEqual([refused.status, /room for 24/.test(refused.body.error as string)], [400, true])
    const cut = await post('/api/embed', { model: id, input: text })
    assert.equal(cut.body.prompt_eval_count, 24)
    await withOwn(id, async model => {
      assertClose((cut.body.embeddings as number[][])[0]!, (await model.encode(text)).data, 1e-5, 'cut')
    })
  })

  it('lists what each model can do, and refuses text from models that write none', async () => {
    assert.deepEqual(
      (await client.models.list()).data.map(({ id }) => id),
      ['tiny-bert', 'tiny-bert-sentences', 'tiny-t5', 'tiny-sentences']
    )
    for (const [id, capabilities] of [
      ['tiny-bert', ['embedding']],
      ['tiny-t5', ['embedding']],
      ['tiny-sentences', ['completion', 'embedding']]
    ] as const) {
      assert.deepEqual((await post('/api/show', { model: id })).body.capabilities, capabilities)
    }
    const messages = [{ role: 'user', content: 'Hello' }]
    const requests = [
      ['/v1/chat/completions', { messages }],
      ['/v1/completions', { prompt: 'Hello' }],
      ['/v1/responses', { input: 'Hello' }],
      ['/v1/messages', { messages, max_tokens: 4 }],
      ['/api/chat', { messages }],
      ['/api/generate', { prompt: 'Hello' }],
      ['/v1/fine_tuning/jobs', { training_file: 'file-0' }]
    ] as const
    for (const [path, fields] of requests) {
      for (const [model, reason] of [
        ['tiny-bert', /is an encoder \(bert\), which writes no text.*(embeddings|swarm train)/],
        ['tiny-t5', /is an encoder-decoder model \(t5\).*vectors only.*(swarm generate|swarm train)/]
      ] as const) {
        const { status, body } = await post(path, { model, ...fields })
        assert.equal(status, 400, `${path} ${model}`)
        assert.match(JSON.stringify(body), reason, path)
      }
    }
    const { choices } = await client.completions.create({
      model: 'tiny-sentences',
      prompt: 'Once',
      max_tokens: 1,
      temperature: 0
    })
    assert.equal(choices.length, 1)
    const page = await fetch(`${server.url}/console/api/session`)
    const session = (await page.json()) as { models: { id: string }[] }
    assert.deepEqual(
      session.models.map(({ id }) => id),
      ['tiny-sentences']
    )
  })
})
