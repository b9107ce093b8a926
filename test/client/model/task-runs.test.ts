// Every tuning method for every task through two servers: twenty steps are those of PEFT (scripts/reference/tasks.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModel,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type FeatureOutput,
  getPeftModel,
  type Ids,
  type Loss,
  type PeftConfig,
  type PeftModelForFeatureExtraction,
  type PretrainedOptions
} from '../../../client/index.ts'
import { float32, type Tensor } from '../../../common/tensor.ts'
import { referencePath, temporaryFolder } from '../support.ts'
import { taskRuns } from '../tuning-runs.ts'
import { followRun, rankPattern, readReferences } from './follow-run.ts'
import { startSwarm, type TestSwarm } from './swarm.ts'

const path = referencePath('adapters', 'base')
const numLabels = 3
const ids = (tensor: Tensor | undefined) => tensor as Tensor<'int64'>

type Inputs = Readonly<Record<string, Tensor>>

interface Classifier {
  forward(
    input: { inputIds: Ids; attentionMask: Ids; labels: Ids },
    options: { training: boolean; seed: number }
  ): Promise<{ loss: Loss }>
}

async function lossOfClassifier(model: Classifier, inputs: Inputs, step: number): Promise<Loss> {
  const [inputIds, attentionMask, labels] = [ids(inputs.ids), ids(inputs.mask), ids(inputs.labels)]
  return (await model.forward({ inputIds, attentionMask, labels }, { training: true, seed: step })).loss
}

/** The mean squared distance of the mean over a sequence's states from where it should be: a loss of the caller's own. */
async function lossOfFeatures(model: PeftModelForFeatureExtraction, inputs: Inputs, step: number): Promise<Loss> {
  const [inputIds, attentionMask] = [ids(inputs.ids), ids(inputs.mask)]
  const options = { training: true, seed: step, pooling: 'mean' } as const
  const { pooled, penalty, backward }: FeatureOutput = await model.forward({ inputIds, attentionMask }, options)
  const distances = Array.from(pooled!.data, (value, index) => value - (inputs.targets!.data[index] as number))
  const count = distances.length
  return {
    value: distances.reduce((sum, each) => sum + each * each, 0) / count + penalty,
    backward: () =>
      backward({
        pooled: float32(
          pooled!.shape,
          distances.map(each => (2 * each) / count)
        )
      })
  }
}

/** A fresh base model for each run, an adapter over it, and its loss. */
const tasks = {
  'seq-cls': async (options: PretrainedOptions, config: PeftConfig) => {
    const base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, { ...options, numLabels })
    const model = await getPeftModel(base, config)
    return { model, lossOf: (inputs: Inputs, step: number) => lossOfClassifier(model, inputs, step) }
  },
  'token-cls': async (options: PretrainedOptions, config: PeftConfig) => {
    const base = await AutoDistributedModelForTokenClassification.fromPretrained(path, {
      ...options,
      numLabels,
      classifierDropout: 0
    })
    const model = await getPeftModel(base, config)
    return { model, lossOf: (inputs: Inputs, step: number) => lossOfClassifier(model, inputs, step) }
  },
  features: async (options: PretrainedOptions, config: PeftConfig) => {
    const model = await getPeftModel(await AutoDistributedModel.fromPretrained(path, options), config)
    return { model, lossOf: (inputs: Inputs, step: number) => lossOfFeatures(model, inputs, step) }
  }
} as const

for (const [task, open] of Object.entries(tasks)) {
  describe(`${task} through two servers`, () => {
    let swarm: TestSwarm
    before(async () => {
      const ranges = [
        [0, 2],
        [1, 3]
      ] as const
      swarm = await startSwarm(ranges, { path })
    })
    after(() => swarm[Symbol.asyncDispose]())

    for (const [name, learningRate, config] of taskRuns) {
      it(`learns in twenty steps of '${name}' what PEFT learns`, async context => {
        const expected = readReferences('tasks', `${task}-${name}.safetensors`)
        const { model, lossOf } = await open({ initialPeers: swarm.join }, config)
        try {
          await followRun(model, expected, learningRate, lossOf)
          assert.ok([...model.parts.parameters.values()].every(({ grad, requiresGrad }) => !grad && !requiresGrad))
          const ranks = rankPattern(expected)
          if (ranks === null) return
          const folder = await temporaryFolder(context as never)
          await model.savePretrained(folder)
          const saved = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))
          assert.deepEqual(saved.rank_pattern, ranks)
        } finally {
          await model.close()
        }
      })
    }
  })
}
