// Constrained decoding: answers parse and are valid, whatever the logits say; ajv judges.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { complete } from '../../gateway/completion/complete.ts'
import { ApiError } from '../../gateway/errors.ts'
import type { AnswerGrammar } from '../../gateway/grammar/answer-grammar.ts'
import { constraintOf } from '../../gateway/grammar/constraint.ts'
import type { ServedModel } from '../../gateway/models/served-model.ts'
import { served } from '../../testing/gateway.ts'
import { collectAll } from '../../testing/references.ts'
import { useSwarm } from '../../testing/swarm.ts'
import { randomAnswer } from './grammar-walk.ts'
import { rootSchema } from './random-schemas.ts'

const ajv = new Ajv2020({ strict: false })
;(addFormats as unknown as (ajv: Ajv2020) => void)(ajv)

const of = (schema: unknown, strict = true): AnswerGrammar => ({ type: 'json_schema', schema, strict })

/** RUNS=1000 node … tries more, of another seed each time */
const { RUNS: more } = process.env
const runs = Number(more ?? 8)

/** The answers of random logits: values, or 'cut'. */
async function answers(model: ServedModel, grammar: AnswerGrammar, count: number): Promise<unknown[]> {
  const constraint = await constraintOf(model, grammar)
  return Array.from({ length: count }, (_, seed) => {
    const { text } = randomAnswer(model, constraint, seed)
    return text === null ? 'cut' : JSON.parse(text)
  })
}

async function refusal(model: ServedModel, schema: unknown, patienceMs?: number): Promise<string> {
  const error = await constraintOf(model, of(schema), { patienceMs }).then(
    () => assert.fail(`it takes ${JSON.stringify(schema).slice(0, 100)}`),
    error => error
  )
  assert.ok(error instanceof ApiError && error.status === 400, String(error))
  return error.message
}

describe('constrained decoding', () => {
  const used = useSwarm([[0, 12]])

  it('gives valid answers to random schemas under random logits', async () => {
    const model = served(used.model)
    let ended = 0
    await fc.assert(
      fc.asyncProperty(rootSchema, fc.nat(), async (schema, seed) => {
        const constraint = await constraintOf(model, of(schema)).catch(error => {
          if (error instanceof ApiError && error.status === 400) return null
          throw error
        })
        if (constraint === null) return
        const { text } = randomAnswer(model, constraint, seed)
        if (text === null) return
        ended++
        const validate = ajv.compile(schema)
        assert.ok(validate(JSON.parse(text)), `${text}: ${ajv.errorsText(validate.errors)}`)
      }),
      { numRuns: runs, ...(more === undefined && { seed: 7 }) }
    )
    assert.ok(ended > runs / 2, `${ended} of ${runs} answers ended`)
  })

  it('gives every kind of value that a schema allows, and no other', async () => {
    const model = served(used.model)
    const bounded = await answers(model, of({ type: 'integer', minimum: -3, maximum: 12, multipleOf: 3 }), 60)
    assert.deepEqual(
      [...new Set(bounded as number[])].sort((a, b) => a - b),
      [-3, 0, 3, 6, 9, 12]
    )
    // the engine joins the ends of such options if it is let
    const listed = ['-10', '-110', '-20', '-120', '0']
    const words = await answers(model, of({ enum: listed }), 60)
    assert.deepEqual([...new Set(words)].sort(), [...listed].sort())
    const patterned = await answers(model, of({ type: 'string', pattern: '^(ü|é|\\n){2}$' }), 200)
    assert.equal(new Set(patterned).size, 9)
    for (const text of patterned as string[]) assert.match(text, /^(ü|é|\n){2}$/u)
    // a name that is declared is never written as another
    const open = { type: 'object', properties: { a: { type: 'integer' } }, additionalProperties: { type: 'boolean' } }
    const validate = ajv.compile(open)
    for (const value of await answers(model, of(open), 30)) assert.ok(value === 'cut' || validate(value))
  })

  it('refuses with its name what it does not enforce, and leaves it out where the schema is not strict', async () => {
    const model = served(used.model)
    const refused: readonly (readonly [string, object])[] = [
      ['uniqueItems', { type: 'array', uniqueItems: true }],
      ['contains', { type: 'array', contains: { const: 1 } }],
      ['not', { not: { const: 1 } }],
      ['if', { if: { type: 'string' }, else: { const: 1 } }],
      ['dependentRequired', { dependentRequired: { a: ['b'] } }],
      ['unevaluatedProperties', { unevaluatedProperties: false }],
      ['oneOf', { oneOf: [{ type: 'integer' }, { type: 'number' }] }],
      ['multipleOf', { type: 'number', multipleOf: 0.01 }],
      ['format', { type: 'string', format: 'color' }],
      ['pattern', { type: 'string', pattern: '^(?=a).*$' }],
      ['maxLength', { type: 'string', pattern: '^a+$', maxLength: 3 }],
      ['minProperties', { type: 'object', additionalProperties: {}, minProperties: 2 }],
      ['madeUp', { madeUp: 1 }]
    ]
    for (const [keyword, inner] of refused) {
      const schema = { type: 'object', properties: { x: inner }, required: ['x'] }
      const message = await refusal(model, schema)
      assert.ok(message.includes(`at /properties/x: keyword '${keyword}'`), message)
      const { relaxed } = await constraintOf(model, of(schema, false))
      assert.deepEqual(relaxed, [`/properties/x/${keyword}`])
    }
    assert.match(
      await refusal(model, { $ref: 'https://example.org/schema' }),
      /'\$ref': expected a place within this schema/
    )
    assert.match(await refusal(model, { type: 'text' }), /'type': expected one of null, boolean/)
    assert.match(await refusal(model, { allOf: [{ const: 1 }, { const: 2 }] }), /no value is valid/)
    const endless = { properties: { next: { $ref: '#' } }, required: ['next'], type: 'object' }
    assert.match(await refusal(model, endless), /no value is valid/)
    assert.match(await refusal(model, { $ref: '#' }), /refers to itself/)
    assert.match(await refusal(model, 'text'), /expected a schema/)
  })

  it('stops at schemas that are made to take for ever, and serves on', async () => {
    const model = served(used.model)
    let nested: object = { type: 'string' }
    for (let depth = 0; depth < 300; depth++) nested = { items: nested }
    assert.match(await refusal(model, nested), /nested more than 200 deep/)
    const pair = { anyOf: [{ minimum: 1 }, { maximum: 2 }] }
    assert.match(await refusal(model, { allOf: Array.from({ length: 30 }, () => ({ ...pair })) }), /256 combinations/)
    const wide = { type: 'string', pattern: '^((a|b|[^c]{900}){900}){900}$' }
    const begun = performance.now()
    assert.match(await refusal(model, wide, 1500), /takes longer than 1\.5 s|more memory/)
    assert.ok(performance.now() - begun < 8000)
    assert.deepEqual(await answers(model, of({ const: 'still here' }), 1), ['still here'])
  })

  it('follows rows whose tokens are cut back, as speculation does', async () => {
    const model = served(used.model)
    const constraint = await constraintOf(model, { type: 'json_object' })
    const process = constraint.processor(1)
    const allowed = (text: string): Set<number> => {
      const scores = new Float32Array(4096)
      process(scores, [9, ...used.model.tokenizer.encode(text)])
      return new Set(scores.keys().filter(id => scores[id] === 0))
    }
    const [open, quote] = [allowed(''), allowed('{"a')]
    const idOf = (text: string): number => used.model.tokenizer.encode(text)[0]!
    assert.ok(open.has(idOf('{')) && !open.has(idOf('[')) && !open.has(0))
    assert.ok(quote.has(idOf('b')) && !quote.has(0))
    assert.deepEqual(allowed('{}'), new Set([0]))
    assert.deepEqual(allowed('{"a'), quote)
    assert.deepEqual(allowed(''), open)
  })

  it('holds text around JSON, such as calls of tools, to its form', async () => {
    const model = served(used.model)
    const call: AnswerGrammar = {
      type: 'sequence',
      parts: [
        { type: 'text', text: '<tool_call>\n{"name": "add", "arguments": ' },
        of({ type: 'object', properties: { n: { enum: [1, 22] } }, required: ['n'] }),
        { type: 'text', text: '}\n</tool_call>' }
      ]
    }
    const calls: AnswerGrammar = { type: 'sequence', parts: [call, { type: 'repeat', part: call, min: 0 }] }
    const constraint = await constraintOf(model, calls)
    const numbers: number[] = []
    for (let seed = 0; seed < 60; seed++) {
      const [before, ...written] = randomAnswer(model, constraint, seed).text?.split('<tool_call>\n') ?? ['']
      assert.equal(before, '')
      for (const one of written) numbers.push(JSON.parse(one.slice(0, -'\n</tool_call>'.length)).arguments.n)
    }
    assert.deepEqual(new Set(numbers), new Set([1, 22]))

    const free = await constraintOf(model, { type: 'sequence', parts: [{ type: 'any', without: ['<t>'] }, call] })
    const process = free.processor(0)
    const after = (text: string): ((token: string) => boolean) => {
      const scores = new Float32Array(4096)
      process(scores, used.model.tokenizer.encode(text))
      return token => scores[used.model.tokenizer.encode(token)[0]!] === 0
    }
    assert.deepEqual(['>', '<', 'x'].map(after('It <t')), [false, true, true])
    assert.deepEqual(['>', '<', 'x'].map(after('It <tt')), [true, true, true])
  })

  it('holds two sampled answers of the swarm to a schema, and an answer that is too long ends by its length', async () => {
    const model = served(used.model)
    const { signal } = new AbortController()
    const schema = {
      type: 'object',
      properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 0, maximum: 130 } },
      required: ['name', 'age'],
      additionalProperties: false
    }
    const prompt = used.model.tokenizer.encode('It was a dark')
    const constraint = await constraintOf(model, of(schema))
    const request = { model, prompt, n: 2, constraint, signal }
    const events = await collectAll(complete({ ...request, sampling: { temperature: 1, seed: 3, maxTokens: 100 } }))
    const validate = ajv.compile(schema)
    for (const choice of [0, 1]) {
      const own = events.filter(event => event.choice === choice)
      assert.equal(own.at(-1)!.finish, 'stop')
      const text = own.map(event => event.text).join('')
      assert.ok(validate(JSON.parse(text)), text)
    }
    const cut = await collectAll(complete({ ...request, n: 1, sampling: { temperature: 0, maxTokens: 2 } }))
    assert.equal(cut.at(-1)!.finish, 'length')
  })

  it('holds a speculated answer to a schema', async () => {
    const model = served(used.model, { speculation: { promptLookupNumTokens: 4 } })
    const { signal } = new AbortController()
    const schema = { type: 'array', items: { enum: ['dark', 'dark night', 3] }, minItems: 3, maxItems: 5 }
    const prompt = used.model.tokenizer.encode('["dark", "dark night", "dark", "dark night"')
    const constraint = await constraintOf(model, of(schema))
    const events = await collectAll(
      complete({ model, prompt, constraint, signal, sampling: { temperature: 0, maxTokens: 100 } })
    )
    const text = events.map(event => event.text).join('')
    assert.ok(ajv.validate(schema, JSON.parse(text)), text)
  })
})
