// Every family through two servers: tokens, losses and gradients are those of Hugging Face and PEFT, adapters train.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type DistributedModelForCausalLM,
  getPeftModel,
  PeftModel
} from '../../../client/index.ts'
import { train } from '../../../client/train/index.ts'
import type { Tensor } from '../../../common/tensor.ts'
import { assertClose, temporaryFolder } from '../../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'
import { familyModels, familyPath, readFamilyReference } from '../../model/families/families.ts'
import { readReferences } from './adapters/follow-run.ts'

/** Every model of the suite would take long: of each family the first, and those that differ outside the blocks. */
const more = ['gpt2-odd', 'opt-350m', 'falcon-40b', 'falcon-rw', 'gemma3', 'mistral-sliding']
const chosen = Object.values(familyModels).flatMap(([first, ...others]) => [
  first,
  ...others.filter(name => more.includes(name))
])

/** Of scripts/reference/classification.py */
const classification = readReferences('classification.safetensors')

const numbers = ({ data }: Tensor) => Array.from(data as Iterable<number | bigint>, Number)

for (const name of chosen) {
  describe(`'${name}' through two servers`, () => {
    let expected: Awaited<ReturnType<typeof readFamilyReference>>
    let swarm: TestSwarm
    let model: DistributedModelForCausalLM
    const ids = (field: string) => expected[field] as Tensor<'int64'>
    before(async () => {
      expected = await readFamilyReference(name)
      const end = name.startsWith('gemma') ? 3 : 2
      swarm = await startSwarm(
        [
          [0, 1],
          [1, end]
        ],
        { path: familyPath(name) }
      )
      model = await swarm.connect()
    })
    after(async () => {
      await model.close()
      await swarm[Symbol.asyncDispose]()
    })

    it('generates 32 tokens of Hugging Face, alone and beside a longer prompt', async () => {
      const prompt = numbers(expected['greedy.ids']!)
      const tokens = numbers(expected['greedy.tokens']!)
      const options = { maxNewTokens: tokens.length, eosTokenIds: [] }
      assert.deepEqual(await model.generate(prompt, options), [[...prompt, ...tokens]])
      const [row] = await model.generate([prompt, [...prompt, ...prompt]], options)
      assert.deepEqual(row!.slice(-tokens.length), tokens)
    })

    it('has the loss of Hugging Face and its gradients for everything outside the blocks', async () => {
      const input = { inputIds: ids('model.ids'), labels: ids('model.labels'), attentionMask: ids('model.mask') }
      const { loss } = await model.forward(input)
      assertClose([loss.value], numbers(expected['model.loss']!), 1e-5, 'loss')
      await loss.backward()
      for (const parameter of model.parameters()) {
        const difference = relative(parameter.grad!, numbers(expected[`model.grad.${parameter.name}`]!))
        assert.ok(difference < 1e-5, `${parameter.name}: ${difference}`)
      }
      model.zeroGrad()
    })

    for (const kind of ['sequence', 'token'] as const) {
      const has = `${name}.${kind}.weight` in classification
      // OPT and Gemma 3 have no class for tokens in transformers
      it(`classifies each ${kind} as Hugging Face does`, { skip: !has && 'no such class' }, async () => {
        const value = (part: string) => classification[`${name}.${part}`]!
        const auto =
          kind === 'sequence'
            ? AutoDistributedModelForSequenceClassification
            : AutoDistributedModelForTokenClassification
        const classifier = await auto.fromPretrained(familyPath(name), { initialPeers: swarm.join, numLabels: 3 })
        try {
          const [weight, bias] = classifier.parts.head.parameters
          weight!.data.set(numbers(value(`${kind}.weight`)))
          bias?.data.set(numbers(value(`${kind}.bias`)))
          const [inputIds, attentionMask, labels] = ['ids', 'mask', `${kind}.labels`].map(
            part => value(part) as Tensor<'int64'>
          ) as [Tensor<'int64'>, Tensor<'int64'>, Tensor<'int64'>]
          const { loss, logits } = await classifier.forward({ inputIds, attentionMask, labels })
          assertClose([loss.value], numbers(value(`${kind}.loss`)), 1e-5, 'loss')
          const counts = (index: number) =>
            kind === 'sequence' || attentionMask.data[Math.floor(index / 3)] === 1n ? logits.data[index]! : 0
          const wanted = numbers(value(`${kind}.logits`)).map((logit, index) => (counts(index) === 0 ? 0 : logit))
          assertClose(
            logits.data.map((_, index) => counts(index)),
            wanted,
            1e-4,
            'logits'
          )
          await loss.backward()
          assert.ok(relative(weight!.grad!, numbers(value(`${kind}.grad_weight`))) < 1e-5, 'gradient of the head')
        } finally {
          await classifier.close()
        }
      })
    }

    it('has the loss and the gradient of PEFT for trained prompts', async () => {
      const tuned = await getPeftModel(model, { peftType: 'PROMPT_TUNING', numVirtualTokens: 2 })
      const [prompt] = tuned.parameters()
      prompt!.data.set(numbers(expected['prompt_tuning.prompt']!))
      const { loss } = await tuned.forward({ inputIds: ids('prompt_tuning.ids'), labels: ids('prompt_tuning.ids') })
      assertClose([loss.value], numbers(expected['prompt_tuning.loss']!), 1e-5, 'loss')
      await loss.backward()
      const difference = relative(prompt!.grad!, numbers(expected['prompt_tuning.grad_prompt']!))
      assert.ok(difference < 1e-5, `prompt: ${difference}`)
    })

    it('is fine-tuned by LoRA, and the adapter saved and loaded again', async context => {
      const tuned = await getPeftModel(model, { peftType: 'LORA', r: 4, targetModules: 'all-linear' }, { seed: 1 })
      const rows = numbers(expected['prompt_tuning.ids']!)
      const examples = [rows.slice(0, 7), rows.slice(7)].map(tokens => ({ ids: tokens, labels: tokens }))
      const losses: number[] = []
      for await (const { loss } of train(tuned, examples, {
        maxSteps: 8,
        perDeviceTrainBatchSize: 2,
        learningRate: 0.02,
        padTokenId: 0
      })) {
        losses.push(loss)
      }
      assert.ok(losses.at(-1)! < losses[0]! - 0.2, `losses ${losses}`)
      const folder = await temporaryFolder(context as never)
      await tuned.savePretrained(folder)
      const again = await PeftModel.fromPretrained(model, folder)
      const input = { inputIds: ids('prompt_tuning.ids') }
      const [before, after] = [await tuned.eval().forward(input), await again.forward(input)]
      assert.equal(relative(after.logits.data, before.logits.data), 0)
    })
  })
}

describe('LoRA without targets', () => {
  it('changes what PEFT changes in the family', async () => {
    await using swarm = await startSwarm([[0, 2]], { path: familyPath('gpt2') })
    await using model = await AutoDistributedModelForCausalLM.fromPretrained(familyPath('gpt2'), {
      initialPeers: swarm.join
    })
    const tuned = await getPeftModel(model, { peftType: 'LORA', r: 2 })
    assert.deepEqual(
      tuned.parameters().map(({ name, shape }) => `${name} [${shape}]`),
      [0, 1].flatMap(block => [
        `base_model.model.transformer.h.${block}.attn.c_attn.lora_A.weight [2,32]`,
        `base_model.model.transformer.h.${block}.attn.c_attn.lora_B.weight [96,2]`
      ])
    )
  })
})
