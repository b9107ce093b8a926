// Adapters of PEFT for classification and hidden states: they give what PEFT gives, and saved again they are the same files
// (scripts/reference/task_adapters.py). Those of ours in PEFT: scripts/reference/write-task-adapters.ts.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModel,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  PeftModel,
  type PretrainedOptions
} from '../../../../client/index.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { taskRuns } from '../../../../testing/tuning-runs.ts'
import { readReferences } from './follow-run.ts'

const path = referencePath('adapters', 'base')

interface Input {
  readonly inputIds: Tensor<'int64'>
  readonly attentionMask: Tensor<'int64'>
}

/** A model with the adapter in a folder, and what is compared of it. */
const tasks = {
  'seq-cls': async (options: PretrainedOptions, folder: string) => {
    const classes = { ...options, numLabels: 3 }
    const base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, classes)
    const model = await PeftModel.fromPretrained(base, folder)
    return { model, output: async (input: Input) => (await model.forward(input)).logits }
  },
  'token-cls': async (options: PretrainedOptions, folder: string) => {
    const base = await AutoDistributedModelForTokenClassification.fromPretrained(path, { ...options, numLabels: 3 })
    const model = await PeftModel.fromPretrained(base, folder)
    return { model, output: async (input: Input) => (await model.forward(input)).logits }
  },
  features: async (options: PretrainedOptions, folder: string) => {
    const model = await PeftModel.fromPretrained(await AutoDistributedModel.fromPretrained(path, options), folder)
    return { model, output: async (input: Input) => (await model.forward(input)).lastHiddenState }
  }
} as const

/** As PEFT writes it, but for lists, whose order means nothing and in which PEFT names the heads twice for prompts. */
async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const fields = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>
  delete fields.base_model_name_or_path
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, Array.isArray(value) ? [...new Set(value)].sort() : value])
  )
}

for (const [task, open] of Object.entries(tasks)) {
  describe(`adapters of PEFT for ${task}`, () => {
    const expected = readReferences('task-adapters', 'outputs.safetensors')
    let swarm: TestSwarm
    before(async () => {
      swarm = await startSwarm([[0, 3]], { path })
    })
    after(() => swarm[Symbol.asyncDispose]())

    for (const [name] of taskRuns) {
      it(`'${name}' gives what PEFT gives, and is the same after saving`, async context => {
        const folder = referencePath('task-adapters', `${task}-${name}`)
        const { model, output } = await open({ initialPeers: swarm.join }, folder)
        try {
          const inputIds = expected.ids as Tensor<'int64'>
          const attentionMask = expected.mask as Tensor<'int64'>
          const { shape, data } = await output({ inputIds, attentionMask })
          const wanted = expected[`${task}-${name}`] as Float32Tensor
          assert.deepEqual(shape, wanted.shape)
          const [, length, width] = shape as [number, number, number]
          const before = length - inputIds.shape[1]!
          for (const [index, value] of data.entries()) {
            const position = Math.floor(index / width)
            const token = (position % length) - before
            const row = Math.floor(position / length)
            // what stands at padding means nothing
            if (shape.length === 3 && token >= 0 && attentionMask.data[row * (length - before) + token] === 0n) continue
            assert.ok(Math.abs(value - wanted.data[index]!) < 1e-4, `${index}: ${value}, ${wanted.data[index]}`)
          }
          const again = await temporaryFolder(context as never)
          await model.savePretrained(again)
          const file = 'adapter_model.safetensors'
          const tensors = readReferences('task-adapters', `${task}-${name}`, file)
          assert.deepEqual(decodeSafetensors(await readFile(join(again, file)), file).tensors, tensors)
          assert.deepEqual(await readConfig(again), await readConfig(folder))
        } finally {
          await model.close()
        }
      })
    }
  })
}
