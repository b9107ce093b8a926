// The real `ai` package over an in-process swarm, through the provider and no HTTP.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { APICallError } from '@ai-sdk/provider'
import { embedMany, generateText, NoSuchModelError, Output, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'
import { createSwarm } from '../../../gateway/ai-sdk/index.ts'
import { agentTemplate, chatTemplate } from '../../../testing/gateway.ts'
import { until, useSwarm } from '../../../testing/swarm.ts'

describe('the provider of the AI SDK', () => {
  const used = useSwarm([[0, 12]])
  const swarm = () =>
    createSwarm({
      tiny: { model: used.model, chatTemplate },
      tools: { model: used.model, chatTemplate: agentTemplate }
    })

  /** What the SDK's own model says of the same messages. */
  async function expected(length: number): Promise<string> {
    const prompt = used.model.tokenizer.encode('<|im_start|>user\nIt was a dark<|im_end|>\n<|im_start|>assistant\n')
    const rows = await used.model.generate(prompt, { maxNewTokens: length })
    return used.model.tokenizer.decode(rows[0]!.slice(prompt.length), { skipSpecialTokens: true })
  }

  it('generates and streams greedy tokens, with usage and the reason of the end', async () => {
    const call = { model: swarm()('tiny'), prompt: 'It was a dark', temperature: 0, maxOutputTokens: 8 } as const
    const text = await expected(8)
    const whole = await generateText(call)
    assert.equal(whole.text, text)
    assert.equal(whole.finishReason, 'length')
    assert.equal(whole.usage.outputTokens, 8)
    assert.ok(whole.usage.inputTokens! > 8)
    const streamed = streamText(call)
    const pieces: string[] = []
    for await (const piece of streamed.textStream) pieces.push(piece)
    assert.equal(pieces.join(''), text)
    assert.ok(pieces.length > 2)
    assert.deepEqual((await streamed.usage).outputTokens, 8)
  })

  it('gives an object that is valid, and warns of what is only validated afterwards', async () => {
    const schema = z.object({
      age: z.int().min(0).max(9),
      kind: z.enum(['cat', 'dog']),
      tags: z.array(z.boolean()).max(2)
    })
    const { output, warnings } = await generateText({
      model: swarm()('tiny'),
      prompt: 'It was a dark',
      seed: 5,
      temperature: 1,
      output: Output.object({ schema })
    })
    assert.deepEqual(schema.parse(output), output)
    assert.deepEqual(warnings, [])
    const loose = await swarm()('tiny').doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }],
      responseFormat: { type: 'json', schema: { type: 'array', items: { const: 1 }, maxItems: 2, uniqueItems: true } }
    })
    assert.deepEqual(
      loose.warnings.map(warning => 'details' in warning && warning.details),
      ['/uniqueItems is not enforced while the answer is written']
    )
  })

  it('calls tools that are streamed, and takes their results back', async () => {
    const called: number[] = []
    const result = streamText({
      model: swarm()('tools'),
      prompt: 'It was a dark',
      temperature: 1,
      seed: 2,
      maxOutputTokens: 240,
      tools: {
        double: tool({
          description: 'Doubles',
          inputSchema: z.object({ n: z.int().min(1).max(99) }),
          execute({ n }) {
            called.push(n)
            return 2 * n
          }
        })
      },
      providerOptions: { swarm: { parallelToolCalls: false } },
      prepareStep: ({ stepNumber }) =>
        stepNumber === 0 ? { toolChoice: 'required' } : { toolChoice: 'none', maxOutputTokens: 4 },
      stopWhen: stepCountIs(2)
    })
    const types = new Set<string>()
    for await (const { type } of result.fullStream) types.add(type)
    for (const type of ['tool-input-start', 'tool-input-delta', 'tool-input-end', 'tool-call', 'tool-result']) {
      assert.ok(types.has(type), `no ${type} in ${[...types].join()}`)
    }
    const [first, second] = await result.steps
    assert.equal(first!.finishReason, 'tool-calls')
    assert.equal(called.length, 1)
    assert.equal(first!.toolResults[0]!.output, 2 * called[0]!)
    assert.equal(second!.finishReason, 'length')
  })

  it('tells thoughts apart, by the variable of the template', async () => {
    const { reasoningText, text, usage } = await generateText({
      model: swarm()('tools'),
      prompt: 'It was a dark',
      temperature: 0,
      maxOutputTokens: 6,
      providerOptions: { swarm: { templateVariables: { enable_thinking: true } } }
    })
    assert.equal(text, '')
    assert.ok(reasoningText!.length > 0)
    assert.equal(usage.outputTokenDetails.reasoningTokens, 6)
  })

  it('warns of what has no effect, and refuses what it cannot do', async () => {
    const model = swarm()('tiny')
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'x' }] }]
    const { warnings } = await model.doGenerate({ prompt, reasoning: 'high', maxOutputTokens: 1 })
    assert.deepEqual(
      warnings.map(warning => 'feature' in warning && warning.feature),
      ['reasoning']
    )
    const file = {
      type: 'file' as const,
      mediaType: 'image/png',
      data: { type: 'data' as const, data: new Uint8Array(4) }
    }
    await assert.rejects(
      async () => await model.doGenerate({ prompt: [{ role: 'user', content: [file] }] }),
      error => /read text only/.test((error as Error).message)
    )
    await assert.rejects(
      async () => await model.doGenerate({ prompt, providerOptions: { swarm: { minp: 1 } } }),
      error => /minp/.test((error as Error).message)
    )
    const long = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'dark '.repeat(3000) }] }]
    await assert.rejects(
      async () => await model.doGenerate({ prompt: long }),
      error => APICallError.isInstance(error) && error.statusCode === 400 && !error.isRetryable
    )
    assert.throws(
      () => swarm()('other'),
      error => NoSuchModelError.isInstance(error) && /given: tiny, tools/.test(error.message)
    )
  })

  it('ends its session when the caller aborts or leaves', async () => {
    const stop = new AbortController()
    const result = streamText({
      model: swarm()('tiny'),
      prompt: 'It was a dark',
      abortSignal: stop.signal,
      onError() {}
    })
    let pieces = 0
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta' && ++pieces === 2) stop.abort()
    }
    assert.ok(pieces >= 2 && pieces < 20)
    const { stream } = await swarm()('tiny').doStream({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'It was a dark' }] }]
    })
    const reader = stream.getReader()
    for (let count = 0; count < 5; count++) await reader.read()
    await reader.cancel()
    await until(() => used.swarm.servers[0]!.sessions === 0)
  })

  it('embeds texts as vectors of length 1', async () => {
    const { embeddings, usage } = await embedMany({
      model: swarm().embeddingModel('tiny'),
      values: ['It was a dark', 'and stormy night']
    })
    assert.deepEqual(
      embeddings.map(({ length }) => length),
      [192, 192]
    )
    for (const vector of embeddings) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5)
    assert.equal(
      usage.tokens,
      ['It was a dark', 'and stormy night'].flatMap(text => used.model.tokenizer.encode(text)).length
    )
  })
})
