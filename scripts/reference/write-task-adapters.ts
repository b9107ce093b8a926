// As write-adapters.ts for the other tasks: every method's adapter, a classification's trained for some steps, and what comes out.
//   node scripts/reference/write-task-adapters.ts <folder>      then: python scripts/reference/check_adapter.py <folder>/*
import { join } from 'node:path'
import {
  AutoDistributedModel,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  type Example,
  getPeftModel,
  type Parameter,
  type PeftConfig,
  type TrainableModel,
  train
} from '../../client/index.ts'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, int64 } from '../../common/tensor.ts'
import { writeSafetensors } from '../../model/formats/safetensors/file.ts'
import { startSwarm } from '../../testing/swarm.ts'
import { taskRuns } from '../../testing/tuning-runs.ts'

const path = join(import.meta.dirname, '../../test/reference/adapters/base')
const rows = [
  [3, 4, 5, 6, 7, 8, 9],
  [60, 9, 33, 12, 4, 4, 20]
]
const inputIds = int64([rows.length, rows[0]!.length], rows.flat())

async function learn(model: TrainableModel, examples: readonly Example[]): Promise<void> {
  for await (const _ of train(model, examples, { maxSteps: 10, learningRate: 0.02, padTokenId: 0 }));
}

/** Something in every parameter, B of LoRA too, which begins at zero. */
function scramble(parameters: readonly Parameter[]): void {
  const random = createRandom(1)
  for (const { data } of parameters) data.set(data.map(value => value + 0.2 * random.normal()))
}

interface Written {
  savePretrained(directory: string): Promise<void>
}

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: write-task-adapters.ts <folder>')
await using swarm = await startSwarm([[0, 3]], { path })
const options = { initialPeers: swarm.join, seed: 2 }
const sequences = await AutoDistributedModelForSequenceClassification.fromPretrained(path, { ...options, numLabels: 3 })
const tokens = await AutoDistributedModelForTokenClassification.fromPretrained(path, { ...options, numLabels: 3 })
const features = await AutoDistributedModel.fromPretrained(path, options)

const outputs: Record<string, (config: PeftConfig) => Promise<{ model: Written; logits: Float32Tensor }>> = {
  async 'seq-cls'(config) {
    const model = await getPeftModel(sequences, config, { seed: 1 })
    await learn(
      model,
      rows.map((ids, row) => ({ ids, labels: [2 * row] }))
    )
    return { model, logits: (await model.eval().forward({ inputIds })).logits }
  },
  async 'token-cls'(config) {
    const model = await getPeftModel(tokens, config, { seed: 1 })
    await learn(
      model,
      rows.map(ids => ({ ids, labels: ids.map(id => id % 3) }))
    )
    return { model, logits: (await model.eval().forward({ inputIds })).logits }
  },
  async features(config) {
    const model = await getPeftModel(features, config, { seed: 1 })
    scramble(model.parameters())
    return { model, logits: (await model.eval().forward({ inputIds })).lastHiddenState }
  }
}

for (const [task, output] of Object.entries(outputs)) {
  for (const [name, , config] of taskRuns) {
    const { model, logits } = await output(config)
    const to = join(folder, `${task}-${name}`)
    await model.savePretrained(to)
    await writeSafetensors(join(to, 'logits.safetensors'), { ids: inputIds, logits })
    console.log(to)
  }
}
for (const model of [sequences, tokens, features]) await model.close()
