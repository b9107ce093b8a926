// What does a constraint cost a token? Answers of random logits, so that every state of a grammar comes: `node bench/grammar.ts [model…]`.
// Prints the time to compile each grammar and the time of its mask, beside that of choosing a token without one.
import { loadTokenizer } from '../client/index.ts'
import { createRandom } from '../common/random.ts'
import type { AnswerGrammar } from '../gateway/grammar/answer-grammar.ts'
import { constraintOf } from '../gateway/grammar/constraint.ts'
import type { ServedModel } from '../gateway/models/served-model.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'

const paths = process.argv.slice(2)
if (paths.length === 0) paths.push('models/tiny')

const schema = (schema: unknown): AnswerGrammar => ({ type: 'json_schema', schema, strict: true })
const grammars: Readonly<Record<string, AnswerGrammar>> = {
  'any object': { type: 'json_object' },
  'a person': schema({
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 40 },
      age: { type: 'integer', minimum: 0, maximum: 130 },
      mail: { type: 'string', format: 'email' },
      tags: { type: 'array', items: { enum: ['red', 'green', 'blue'] } }
    },
    required: ['name', 'age', 'mail', 'tags'],
    additionalProperties: false
  }),
  'a tree': schema({
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: { value: { type: 'string' }, kids: { type: 'array', items: { $ref: '#/$defs/node' } } },
        required: ['value', 'kids'],
        additionalProperties: false
      }
    }
  })
}

const answers = 20
const mostTokens = 150
const cpuMs = (): number => process.cpuUsage().user / 1000

console.log(
  '| vocabulary | grammar | compiled once, CPU ms | mask, CPU ms a token | a token without |\n|---|---|---|---|---|'
)
for (const path of paths) {
  const tokenizer = await loadTokenizer(path)
  const { config } = await openCheckpoint(path)
  const model = { id: path, tokenizer, model: { config } } as unknown as ServedModel
  const random = createRandom(1, 0)
  const noise = Float32Array.from({ length: 2 * config.vocabSize }, () => random.uniform())
  const scores = new Float32Array(config.vocabSize)
  /** CPU ms a token of these answers */
  const walk = (process: () => ReturnType<Awaited<ReturnType<typeof constraintOf>>['processor']>): number => {
    let tokens = 0
    let total = 0
    for (let answer = 0; answer < answers; answer++) {
      const ids = [1]
      const forbid = process()
      while (ids.length < mostTokens) {
        scores.set(noise.subarray(Math.floor((random.uniform() * noise.length) / 2)).subarray(0, config.vocabSize))
        const begun = cpuMs()
        forbid(scores, ids)
        let best = 0
        for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id
        total += cpuMs() - begun
        tokens += 1
        if (config.eosTokenIds.includes(best)) break
        ids.push(best)
      }
    }
    return total / tokens
  }
  // the engine and the vocabulary are loaded once
  await constraintOf(model, { type: 'text', text: 'x' })
  const plain = walk(() => () => {})
  for (const [name, grammar] of Object.entries(grammars)) {
    const begun = cpuMs()
    const constraint = await constraintOf(model, grammar)
    const compiled = cpuMs() - begun
    const masked = walk(() => constraint.processor(1)) - plain
    console.log(
      `| ${config.vocabSize} | ${name} | ${compiled.toFixed(0)} | ${masked.toFixed(3)} | ${plain.toFixed(3)} |`
    )
  }
}
