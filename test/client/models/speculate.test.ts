// Speculative decoding through real servers: greedy tokens are Hugging Face's, in fewer passes.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Draft, type GenerationOptions, openLocalDraft, type SpeculationPass } from '../../../client/index.ts'
import { readReference, referencePath, tinyPath } from '../../../testing/references.ts'
import { until, useSwarm } from '../../../testing/swarm.ts'

interface Greedy {
  readonly newTokens: number
  readonly alone: readonly { ids: number[]; tokens: number[]; text: string }[]
}

const greedy = readReference<Greedy>('tiny-greedy.json')
const [reference] = greedy.alone as [Greedy['alone'][number]]

/** Knows the continuation, but for every seventh place. */
function informed({ ids, tokens }: Greedy['alone'][number]): Draft {
  return {
    propose: (said, count) => {
      const from = said.length - ids.length
      return tokens.slice(from, from + count).map((token, index) => ({ token: (from + index) % 7 === 3 ? 5 : token }))
    }
  }
}

describe('speculative decoding through three servers', () => {
  const used = useSwarm(
    [
      [0, 4],
      [4, 8],
      [8, 12]
    ],
    { connect: { remote: { retryDelaysMs: [0, 50, 100, 200] } } }
  )

  const run = async (row: Greedy['alone'][number], options: GenerationOptions) => {
    const passes: SpeculationPass[] = []
    const all = {
      maxNewTokens: greedy.newTokens,
      onSpeculation: (pass: SpeculationPass) => passes.push(pass),
      ...options
    }
    const [found] = await used.model.generate(row.ids, all)
    return { tokens: found!.slice(row.ids.length), passes }
  }

  it('gives the tokens of Hugging Face with prompt lookup', async () => {
    for (const row of greedy.alone) {
      const { tokens, passes } = await run(row, { promptLookupNumTokens: 6 })
      assert.deepEqual(tokens, row.tokens)
      assert.ok(passes.length > 0)
    }
  })

  it('gives them with a draft that is mostly right, in a fifth of the passes', async () => {
    const { tokens, passes } = await run(reference, { draft: informed(reference), numAssistantTokens: 10 })
    assert.deepEqual(tokens, reference.tokens)
    assert.ok(passes.length <= greedy.newTokens / 5, `${passes.length} passes`)
    const accepted = passes.reduce((sum, pass) => sum + pass.accepted, 0)
    assert.ok(accepted + passes.length >= greedy.newTokens - 2)
  })

  it('gives them with a small model of this process as draft', async () => {
    const cacheDir = join(tmpdir(), 'swarmtune-test-cache')
    // the model itself guesses all of it
    await using same = await openLocalDraft(tinyPath, { cacheDir, threads: 2 })
    for (const row of greedy.alone.slice(0, 2)) {
      const { tokens, passes } = await run(row, { draft: same, numAssistantTokens: 7 })
      assert.deepEqual(tokens, row.tokens)
      const [accepted, proposed] = [passes.map(pass => pass.accepted), passes.map(pass => pass.proposed)]
      assert.deepEqual(accepted, proposed)
      assert.equal(passes.length, Math.ceil((greedy.newTokens - 1) / 8))
    }
    // others disagree, and have fewer or more tokens
    for (const name of ['grouped', 'narrow']) {
      await using other = await openLocalDraft(referencePath(name), { cacheDir, threads: 2, maxLength: 24 })
      const { tokens } = await run(reference, { draft: other, maxNewTokens: 40 })
      assert.deepEqual(tokens, reference.tokens.slice(0, 40))
    }
  })

  it('gives them when a server is lost between two passes', async () => {
    const tokens: number[] = []
    const options = { maxNewTokens: greedy.newTokens, draft: informed(reference), numAssistantTokens: 4 }
    for await (const { token } of used.model.generateStream(reference.ids, options)) {
      tokens.push(token!)
      if (tokens.length !== 12) continue
      const lost = used.swarm.servers.find(({ sessions, range }) => sessions > 0 && range.first === 4)!
      await lost.stop()
      await used.swarm.add([4, 8])
    }
    assert.deepEqual(tokens, reference.tokens)
    await until(() => used.swarm.servers.every(server => server.sessions === 0))
  })

  it('with a repetition penalty and a stop string gives what comes without', async () => {
    const options = { maxNewTokens: 40, repetitionPenalty: 1.15, stopStrings: [' of the'] }
    const expected = await run(reference, options)
    const found = await run(reference, { ...options, promptLookupNumTokens: 4 })
    assert.deepEqual(found.tokens, expected.tokens)
  })

  it('refuses a batch', async () => {
    const rows = [reference.ids, reference.ids]
    await assert.rejects(used.model.generate(rows, { promptLookupNumTokens: 4 }), {
      code: 'UNSUPPORTED',
      message: /one row/
    })
  })
})
