// Dynamic scaling of rotary angles, beyond the positions that the model was trained for: as Hugging Face computes it.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { DistributedModelForCausalLM } from '../../../client/index.ts'
import type { Tensor } from '../../../common/tensor.ts'
import { assertClose } from '../../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'
import { familyPath, readFamilyReference } from '../../model/families/families.ts'

const numbers = ({ data }: Tensor) => Array.from(data as Iterable<number | bigint>, Number)

describe('a model with dynamic rope, made for 48 positions', () => {
  let expected: Awaited<ReturnType<typeof readFamilyReference>>
  let swarm: TestSwarm
  let model: DistributedModelForCausalLM
  const ids = (field: string) => expected[field] as Tensor<'int64'>
  before(async () => {
    expected = await readFamilyReference('dynamic-long')
    const ranges = [
      [0, 1],
      [1, 2]
    ] as const
    swarm = await startSwarm(ranges, { path: familyPath('dynamic') })
    model = await swarm.connect()
  })
  after(async () => {
    await model.close()
    await swarm[Symbol.asyncDispose]()
  })

  it('has the logits, the loss and the gradients of 72 positions', async () => {
    assert.equal(model.config.maxPositions, 96)
    const input = { inputIds: ids('ids'), labels: ids('labels'), attentionMask: ids('mask') }
    const { loss, logits: scores } = await model.forward(input)
    assertClose([loss.value], numbers(expected.loss!), 1e-5, 'loss')
    // the first row, which is not padded
    const [first, wanted] = [scores!.data, numbers(expected.logits!)].map(all =>
      Array.from(all).slice(0, all.length / 2)
    )
    const difference = relative(first!, wanted!)
    assert.ok(difference < 1e-5, `logits: ${difference}`)
    await loss.backward()
    for (const [name, field] of [
      ['model.norm.weight', 'grad_norm'],
      ['model.embed_tokens.weight', 'grad_embedding']
    ] as const) {
      const parameter = model.parameters().find(found => found.name === name)!
      const error = relative(parameter.grad!, numbers(expected[field]!))
      assert.ok(error < 1e-5, `${name}: ${error}`)
    }
    model.zeroGrad()
  })

  it('generates the tokens of Hugging Face over a cache, from within these positions and from beyond', async () => {
    for (const length of [30, 64]) {
      const prompt = numbers(expected[`prompt${length}`]!)
      const tokens = numbers(expected[`tokens${length}`]!)
      const [row] = await model.generate(prompt, { maxNewTokens: tokens.length, eosTokenIds: [] })
      assert.deepEqual(row!.slice(length), tokens, `a prompt of ${length}`)
    }
  })

  it('gives a row the same beside a longer one', async () => {
    const [short, long] = [30, 64].map(length => numbers(expected[`prompt${length}`]!)) as [number[], number[]]
    const rows = await model.generate([short, long], { maxNewTokens: 30, eosTokenIds: [] })
    assert.deepEqual(rows[0]!.slice(-30), numbers(expected.tokens30!).slice(0, 30))
    assert.deepEqual(rows[1]!.slice(-30), numbers(expected.tokens64!))
  })
})
