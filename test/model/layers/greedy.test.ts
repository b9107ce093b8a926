import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, describe, test } from 'node:test'
import { int64, type Tensor, tensor } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { createSession } from '../../../runtime/session.ts'
import { decodeStep, emptyCaches, inPlace, rotaryFeeds, type Tensors } from '../spans.ts'
import { referencePath, temporaryFolder, tinyPath } from '../support.ts'

interface Reference {
  newTokens: number
  smallestMargin: number
  alone: { prompt: string; ids: number[]; tokens: number[] }[]
  batch: { tokens: number[][] }
  logits: { ids: number[]; last: number[] }
}

/** Logits of each row's last token, one step of the whole model at a time. */
interface Stepper {
  step(ids: readonly (readonly number[])[], lengths: readonly number[]): Promise<Float32Array[]>
  [Symbol.asyncDispose](): Promise<void>
}

async function createStepper(
  checkpoint: Checkpoint,
  cacheDir: string,
  batch: number,
  capacity: number
): Promise<Stepper> {
  const { family, config } = checkpoint
  const blocks = { first: 0, end: config.numBlocks }
  const weights = await blockWeights(checkpoint, blocks, { cacheDir })
  const client = { threads: 1, inline: true }
  const trainable = { trainable: true }
  const span = await createSession(family.decodeSpan(config, { blocks, ports: [] }), {
    ...client,
    folder: weights.folder,
    weights: weights.locate
  })
  const embed = await createSession(family.embed(config, trainable), client)
  const head = await createSession(family.head(config, trainable), client)
  const names = family.clientTensorNames(config)
  const tensors: Tensors = {}
  for (const name of Object.values(names) as string[]) tensors[name] ??= await readTensor(checkpoint, name)
  const pick = (name: string): Tensors => ({ [name]: tensors[name]! })
  const caches = emptyCaches(checkpoint, batch, capacity)
  const tables = rotaryFeeds(checkpoint)
  return {
    async step(ids, lengths) {
      const seq = Math.max(...ids.map(row => row.length))
      const padded = ids.flatMap(row => [...row, ...Array(seq - row.length).fill(0)])
      const { hidden } = await embed.run({ ids: int64([batch, seq], padded), ...pick(names.embedding) })
      const step = decodeStep(hidden!, lengths)
      const { hidden_out } = await span.run({ ...step, ...tables, ...caches }, { outputs: inPlace(caches) })
      const last = ids.flatMap((row, i) => {
        const at = (i * seq + row.length - 1) * config.hiddenSize
        return [...(hidden_out!.data as Float32Array).subarray(at, at + config.hiddenSize)]
      })
      const final: Tensor = tensor('float32', [batch, 1, config.hiddenSize], Float32Array.from(last))
      const { logits } = await head.run({ hidden: final, ...pick(names.norm!), ...pick(names.head) })
      const { vocabSize } = config
      return ids.map((_, i) => (logits!.data as Float32Array).subarray(i * vocabSize, (i + 1) * vocabSize))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([span.release(), embed.release(), head.release()])
    }
  }
}

function argmax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0)
}

async function greedy(stepper: Stepper, prompts: readonly number[][], count: number): Promise<number[][]> {
  const tokens: number[][] = prompts.map(() => [])
  let ids: readonly number[][] = prompts
  for (let i = 0; i < count; i++) {
    const next = (
      await stepper.step(
        ids,
        prompts.map(prompt => prompt.length + i)
      )
    ).map(argmax)
    for (const [row, token] of next.entries()) tokens[row]!.push(token)
    ids = next.map(token => [token])
  }
  return tokens
}

describe('greedy decoding of models/tiny against Hugging Face', () => {
  let checkpoint: Checkpoint
  let reference: Reference
  before(async () => {
    checkpoint = await openCheckpoint(tinyPath)
    reference = JSON.parse(await readFile(referencePath('tiny-greedy.json'), 'utf8'))
    assert.ok(reference.smallestMargin > 1e-3)
  })

  test('logits of the first step', async context => {
    await using stepper = await createStepper(checkpoint, await temporaryFolder(context), 1, 128)
    const { ids, last } = reference.logits
    const [logits] = await stepper.step([ids], [ids.length])
    for (const [i, value] of last.entries()) assert.ok(Math.abs(logits![i]! - value) < 1e-3, `logit ${i}`)
  })

  test('64 tokens of each prompt alone', async context => {
    const cacheDir = await temporaryFolder(context)
    for (const { prompt, ids, tokens } of reference.alone) {
      await using stepper = await createStepper(checkpoint, cacheDir, 1, 128)
      assert.deepEqual(await greedy(stepper, [ids], reference.newTokens), [tokens], prompt)
    }
  })

  test('64 tokens of all prompts as one padded batch', async context => {
    const prompts = reference.alone.map(row => row.ids)
    await using stepper = await createStepper(checkpoint, await temporaryFolder(context), prompts.length, 128)
    assert.deepEqual(await greedy(stepper, prompts, reference.newTokens), reference.batch.tokens)
  })
})
