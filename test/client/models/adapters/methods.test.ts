// LoHa, LoKr, VeRA, OFT, BOFT and LN tuning over real servers: trained as PEFT trains them, saved, loaded, used in generation.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { getPeftModel, PeftModel } from '../../../../client/index.ts'
import { createRandom } from '../../../../common/random.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { methodBase, methodRuns } from '../../../../testing/method-runs.ts'
import { type Bases, startBases } from '../../../../testing/peft-bases.ts'
import { referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { relative } from '../../../../testing/swarm.ts'
import { followRun, readReferences } from './follow-run.ts'

const runs = [...methodRuns, ['ln-tuning', 5e-2, { peftType: 'LN_TUNING' }] as const]

/** The last norm is a parameter of the model, and called as the model calls it; the file has PEFT's name. */
function readRun(name: string): ReturnType<typeof readReferences> {
  const tensors = Object.entries(readReferences('methods', 'runs', `${name}.safetensors`))
  return Object.fromEntries(
    tensors.map(([key, tensor]) => [key.replace('base_model.model.model.norm.ln_tuning_layers', 'model.norm'), tensor])
  )
}

describe('methods of PEFT over two servers', () => {
  let bases: Bases
  before(async () => {
    bases = await startBases([
      [0, 2],
      [1, 3]
    ])
  })
  after(() => bases[Symbol.asyncDispose]())

  for (const [name, learningRate, config] of runs) {
    it(`'${name}' learns in twenty steps what PEFT learns, and generates what its logits say, also loaded again`, async context => {
      const base = bases.of(methodBase(config) === 'adapters/biased' ? 'bias' : 'base')
      const model = await getPeftModel(base, config)
      await followRun(model, readRun(name), learningRate, async (inputs, step) => {
        const { ids, mask, labels } = inputs as Record<string, Tensor<'int64'>>
        const input = { inputIds: ids!, attentionMask: mask!, labels: labels! }
        return (await model.forward(input, { training: true, seed: step })).loss
      })
      const random = createRandom(3)
      for (const { data } of model.parameters()) data.set(data.map(value => value + 0.2 * random.normal()))
      model.eval()
      const prompt = [5, 9, 33, 12, 7]
      const [row] = await model.generate([prompt], { maxNewTokens: 4, eosTokenIds: [], padTokenId: 0 })
      const { logits } = await model.forward({ inputIds: row! })
      const vocabulary = logits.shape[2]!
      for (let position = prompt.length - 1; position < row!.length - 1; position++) {
        const scores = logits.data.subarray(position * vocabulary, (position + 1) * vocabulary)
        assert.equal(scores.indexOf(Math.max(...scores)), row![position + 1], `position ${position}`)
      }
      const folder = await temporaryFolder(context)
      await model.savePretrained(folder)
      const loaded = await PeftModel.fromPretrained(base, folder)
      assert.deepEqual((await loaded.forward({ inputIds: row! })).logits, logits)
    })
  }

  it("LN tuning of PEFT, with the last norm, gives PEFT's logits", async () => {
    const model = await PeftModel.fromPretrained(bases.of('base'), referencePath('methods', 'ln-tuning'))
    const expected = readReferences('methods', 'logits.safetensors')
    const [inputIds, attentionMask] = [expected.ids, expected.mask] as Tensor<'int64'>[]
    const { logits } = await model.forward({ inputIds: inputIds!, attentionMask: attentionMask! })
    const width = logits.shape[2]!
    const theirs = expected['ln-tuning.logits'] as Float32Tensor
    for (const place of attentionMask!.data.keys()) {
      if (attentionMask!.data[place] === 0n) continue
      const [found, wanted] = [logits.data, theirs.data].map(all => all.subarray(place * width, (place + 1) * width))
      assert.ok(relative(found!, wanted!) < 1e-4, `logits of ${place}`)
    }
  })
})
