// Beam search through real servers: the sequences of Hugging Face, also when a server is lost on the way.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GenerationOptions } from '../../../client/index.ts'
import { readReference } from '../../../testing/references.ts'
import { until, useSwarm } from '../../../testing/swarm.ts'

interface Case {
  readonly settings: {
    readonly num_beams: number
    readonly max_new_tokens: number
    readonly num_return_sequences?: number
    readonly length_penalty?: number
    readonly early_stopping?: boolean | 'never'
    readonly repetition_penalty?: number
  }
  readonly eos: number[]
  readonly tokens: number[][]
}

const reference = readReference<{ ids: number[][]; mask: number[][]; cases: Case[] }>('tiny-beams.json')
const input = { inputIds: reference.ids, attentionMask: reference.mask }

const optionsOf = ({ settings, eos }: Case): GenerationOptions => ({
  numBeams: settings.num_beams,
  maxNewTokens: settings.max_new_tokens,
  numReturnSequences: settings.num_return_sequences,
  lengthPenalty: settings.length_penalty,
  earlyStopping: settings.early_stopping,
  repetitionPenalty: settings.repetition_penalty,
  eosTokenIds: eos
})

/** As `generate` returns it: the prompts as they came, each so often as it has sequences. */
const expectedOf = ({ tokens }: Case): number[][] =>
  tokens.map((row, index) => [...reference.ids[Math.floor((index * reference.ids.length) / tokens.length)]!, ...row])

describe('beam search through three servers', () => {
  const used = useSwarm(
    [
      [0, 4],
      [4, 8],
      [8, 12]
    ],
    { connect: { remote: { retryDelaysMs: [0, 50, 100, 200] } } }
  )

  for (const each of reference.cases) {
    it(`gives the sequences of Hugging Face for prompts of different lengths: ${JSON.stringify(each.settings)}`, async () => {
      assert.deepEqual(await used.model.generate(input, optionsOf(each)), expectedOf(each))
    })
  }

  it('gives a prompt alone what it gets in the batch, and the text of the best', async () => {
    const [, each] = reference.cases as [Case, Case]
    const ids = reference.ids[3]!.filter((_, at) => reference.mask[3]![at] === 1)
    const texts: string[] = []
    const tokens: (number | null)[] = []
    const options = { ...optionsOf(each), numReturnSequences: 1 }
    for await (const step of used.model.generateStream(ids, options)) {
      texts.push(step.text)
      tokens.push(step.token)
    }
    assert.deepEqual(tokens, each.tokens[9])
    assert.equal(texts.join(''), used.model.tokenizer.decode(each.tokens[9]!))
  })

  it('gives them when a server is lost in the middle', async () => {
    const [, each] = reference.cases as [Case, Case]
    const { embeddings } = used.model.parts
    const enter = embeddings.enter.bind(embeddings)
    let steps = 0
    let lost = ''
    // the tokens come all at the end: what the client embeds tells where the search is
    embeddings.enter = async (...given) => {
      steps += 1
      if (steps === 9) {
        const server = used.swarm.servers.find(({ sessions, range }) => sessions > 0 && range.first === 4)!
        lost = server.peerId
        await server.stop()
        await used.swarm.add([4, 8])
      }
      return await enter(...given)
    }
    try {
      assert.deepEqual(await used.model.generate(input, optionsOf(each)), expectedOf(each))
    } finally {
      embeddings.enter = enter
    }
    assert.notEqual(lost, '')
    assert.ok(steps > 20)
    await until(() => used.swarm.servers.every(server => server.sessions === 0))
  })

  it('refuses what makes no sense together', async () => {
    const run = (options: GenerationOptions) => used.model.generate([[5, 6]], options)
    await assert.rejects(run({ numBeams: 2, doSample: true }), { code: 'UNSUPPORTED' })
    await assert.rejects(run({ numBeams: 2, promptLookupNumTokens: 3 }), { code: 'UNSUPPORTED' })
    await assert.rejects(run({ numBeams: 2, numReturnSequences: 3 }), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(run({ numBeams: 0 }), { code: 'INVALID_ARGUMENT' })
  })
})
