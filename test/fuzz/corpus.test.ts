// What the fuzzer ever found stays found: every input of test/corpus is run again.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { createRandom } from '../../common/random.ts'
import { corpusPath, readCorpus } from '../../testing/fuzz/corpus.ts'
import { inputsOf } from '../../testing/fuzz/inputs.ts'
import { judgeOutcome } from '../../testing/fuzz/judge.ts'
import { mutateBytes, mutateJson } from '../../testing/fuzz/mutate.ts'
import { fuzzTargets } from '../../testing/fuzz/targets/index.ts'

const randomInputs = 20

for (const target of fuzzTargets) {
  describe(`the reader of ${target.name}`, () => {
    after(() => target.stop?.())

    test('takes or refuses what it was fuzzed with', async () => {
      const inputAt = await inputsOf(target, 1)
      const seeds = await target.seeds()
      for (const [index, input] of seeds.entries()) {
        assert.equal(await judgeOutcome(target, input), null, `seed ${index}`)
      }
      for (const { file, bytes } of readCorpus(target.name)) assert.equal(await judgeOutcome(target, bytes), null, file)
      for (let index = 1000; index < 1000 + randomInputs; index++) {
        assert.equal(await judgeOutcome(target, inputAt(index)), null, `input ${index} of seed 1`)
      }
    })
  })
}

test('every folder of the corpus belongs to a target', () => {
  const names = new Set(fuzzTargets.map(({ name }) => name))
  assert.deepEqual(
    readdirSync(corpusPath).filter(folder => !names.has(folder)),
    []
  )
})

describe('mutation', () => {
  test('is drawn from the seed alone', async () => {
    const target = fuzzTargets.find(({ name }) => name === 'config')!
    const [one, other] = [await inputsOf(target, 5), await inputsOf(target, 6)]
    const again = await inputsOf(target, 5)
    await target.stop?.()
    for (const index of [10, 11, 12]) assert.deepEqual(one(index), again(index))
    assert.notDeepEqual([10, 11, 12].map(one), [10, 11, 12].map(other))
  })

  test('changes what it is given, and keeps JSON what it is', () => {
    const seed = new TextEncoder().encode('{"a": [1, 2, {"b": "c"}], "d": null}')
    let changed = 0
    for (let index = 0; index < 100; index++) {
      const bytes = mutateJson(seed, createRandom(1, index))
      assert.doesNotThrow(() => JSON.parse(new TextDecoder().decode(bytes)))
      if (!Buffer.from(mutateBytes(seed, createRandom(2, index), [seed])).equals(seed)) changed++
    }
    assert.ok(changed > 90, `${changed} of 100`)
  })
})

describe('a fault', () => {
  const named = (run: () => void) => ({ name: 'made up', seeds: async () => [], run })
  const nothing = new Uint8Array()

  test('is any error that is not ours', async () => {
    const fault = await judgeOutcome(
      named(() => {
        throw new RangeError('Maximum call stack size exceeded')
      }),
      nothing
    )
    assert.match(fault!, /RangeError: Maximum call stack/)
    assert.equal(
      await judgeOutcome(
        named(() => {}),
        nothing
      ),
      null
    )
  })
})
