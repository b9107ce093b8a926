// Adapters with ensure_weight_tying over a model whose embedding is its head: loaded, trained, saved and merged as PEFT does it
// (scripts/reference/weight_tying.py).
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { exportMerged } from '../../../../client/export/export.ts'
import {
  AutoDistributedModelForCausalLM,
  type CausalModel,
  type DistributedModelForCausalLM,
  getPeftModel,
  PeftModel,
  train
} from '../../../../client/index.ts'
import { openCheckpoint } from '../../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import {
  assertClose,
  collectAll,
  readReference,
  referencePath,
  temporaryFolder
} from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'

interface Reference {
  readonly ids: number[][]
  readonly losses: number[]
  readonly norms: number[]
  readonly logits: number[][]
}

const path = referencePath('adapters', 'tied')
const modules = { embedding: 'embed_tokens', head: 'lm_head' }

async function lastLogits(model: CausalModel, ids: number[][]): Promise<number[]> {
  const { logits } = await model.forward({ inputIds: ids })
  const [rows, positions, vocabulary] = logits.shape as [number, number, number]
  return Array.from({ length: rows }, (_, row) => {
    const end = (row + 1) * positions * vocabulary
    return [...logits.data.subarray(end - vocabulary, end)]
  }).flat()
}

describe('ensure_weight_tying', () => {
  let swarm: TestSwarm
  let base: DistributedModelForCausalLM
  before(async () => {
    const { numBlocks } = (await openCheckpoint(path)).config
    swarm = await startSwarm([[0, numBlocks]], { path })
    base = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: swarm.join })
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  for (const [name, module] of Object.entries(modules)) {
    const { ids, losses, norms, logits } = readReference<Reference>('weight-tying', `${name}.json`)
    const saved = referencePath('weight-tying', name)

    it(`an adapter that PEFT saved with the ${name} is loaded and merged`, async context => {
      const model = await PeftModel.fromPretrained(base, saved)
      assertClose(await lastLogits(model, ids), logits.flat(), 1e-4, 'logits')
      await model.unload()
      const folder = join(await temporaryFolder(context), 'merged')
      await exportMerged(await openCheckpoint(path), saved, folder)
      const merged = await openCheckpoint(folder)
      assert.equal(merged.config.tiedEmbeddings, true)
      const servers = await startSwarm([[0, merged.config.numBlocks]], { path: folder })
      context.after(() => servers[Symbol.asyncDispose]())
      await using whole = await AutoDistributedModelForCausalLM.fromPretrained(folder, { initialPeers: servers.join })
      assertClose(await lastLogits(whole, ids), logits.flat(), 1e-4, 'merged')
    })

    it(`the ${name} is trained as both, and saved as PEFT does`, async context => {
      const lora = { peftType: 'LORA', r: 1, targetModules: ['q_proj'], layersToTransform: [0] } as const
      const model = await getPeftModel(base, { ...lora, modulesToSave: [module], ensureWeightTying: true })
      for (const { name, data } of model.parameters()) {
        for (let at = 0; at < data.length; at++) {
          if (name.includes('lora_A')) data[at] = Math.sin(at) / 5
          if (name.includes('lora_B')) data[at] = Math.cos(at) / 20
        }
      }
      const examples = ids.map(row => ({ ids: row, labels: row }))
      const options = { optim: 'sgd', learningRate: 0.5, maxSteps: 2, maxGradNorm: 0, padTokenId: 0 } as const
      const progress = await collectAll(train(model, examples, options))
      assertClose(
        progress.flatMap(({ loss, gradNorm }) => [loss, gradNorm]),
        losses.flatMap((loss, step) => [loss, norms[step]!]),
        1e-4,
        'losses and norms'
      )
      assertClose(await lastLogits(model, ids), logits.flat(), 1e-3, 'logits')
      const folder = await temporaryFolder(context)
      await model.savePretrained(folder)
      await model.unload()
      const read = async (directory: string) => {
        const file = join(directory, 'adapter_model.safetensors')
        return decodeSafetensors(await readFile(file), file).tensors
      }
      const [ours, theirs] = [await read(folder), await read(saved)]
      assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort())
      for (const [key, { data }] of Object.entries(theirs)) {
        assertClose(ours[key]!.data as Float32Array, data as Float32Array, 1e-3, key)
      }
      const changed = { ...ours }
      const head = ours['base_model.model.lm_head.weight']!
      changed['base_model.model.lm_head.weight'] = {
        ...head,
        data: (head.data as Float32Array).map(value => value + 1)
      }
      await writeFile(join(folder, 'adapter_model.safetensors'), encodeSafetensors(changed, { format: 'pt' }))
      await assert.rejects(PeftModel.fromPretrained(base, folder), {
        code: 'BAD_CHECKPOINT',
        message: /expected the same values, as ensure_weight_tying makes them one/
      })
    })
  }
})
