// What simulated swarms have to give: the same generations and training runs, computed by the same blocks without a network.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GenerationModel, type GenerationOptions, generate } from '../../client/generate/index.ts'
import { LanguageHead } from '../../client/heads/language.ts'
import { Embeddings } from '../../client/local/embeddings.ts'
import { LocalPrograms } from '../../client/local/programs.ts'
import { DistributedModelForCausalLM } from '../../client/models/causal.ts'
import type { CausalParts } from '../../client/models/model-parts.ts'
import { getPeftModel } from '../../client/peft.ts'
import { loadParameter } from '../../client/pretrained.ts'
import type { ForwardPass, RemoteForwardOptions, RemoteSequential } from '../../client/remote/chain.ts'
import { sumPorts } from '../../client/remote/passes/ports.ts'
import { type Example, ignoredLabel, type TrainOptions, train } from '../../client/train/index.ts'
import type { PeftConfig } from '../../client/tuning/index.ts'
import { silent } from '../../common/logger.ts'
import { createRandom } from '../../common/random.ts'
import { joinRows, rowsOf, splitRows } from '../../common/rows.ts'
import { type Float32Tensor, int64 } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { LocalBlocks } from '../local-blocks.ts'

/** Tokens of a batch that travel together: small, so that a batch of these runs travels in parts. */
export const subBatchTokens = 24

export interface GenerationCase {
  readonly name: string
  readonly prompts: readonly (readonly number[])[]
  readonly options: GenerationOptions
}

export interface TrainingCase {
  readonly name: string
  readonly peft: PeftConfig
  readonly seed: number
  readonly examples: readonly Example[]
  readonly options: TrainOptions
}

/** Of one case: the tokens of each step, [step][row]. */
export interface ExpectedGeneration extends GenerationCase {
  readonly steps: readonly (readonly (number | null)[])[]
}

/** Of one case: the files that the run leaves, by their names in its folder. */
export interface ExpectedTraining extends TrainingCase {
  readonly files: ReadonlyMap<string, Buffer>
}

export interface Oracle {
  readonly generations: readonly ExpectedGeneration[]
  readonly trainings: readonly ExpectedTraining[]
}

const prompt = (seed: number, length: number): number[] => {
  const random = createRandom(seed, 77)
  return Array.from({ length }, () => 3 + random.integer(93))
}
const repetitive = [...prompt(5, 4), ...prompt(5, 4), ...prompt(5, 4)]

const generationCases: readonly GenerationCase[] = [
  { name: 'greedy', prompts: [prompt(1, 6)], options: { maxNewTokens: 12, doSample: false } },
  {
    name: 'three rows',
    prompts: [prompt(2, 3), prompt(3, 7), prompt(4, 5)],
    options: { maxNewTokens: 8, doSample: false }
  },
  {
    name: 'sampled',
    prompts: [prompt(6, 5)],
    options: { maxNewTokens: 10, doSample: true, temperature: 0.9, topP: 0.9, seed: 7 }
  },
  { name: 'beams', prompts: [prompt(7, 5)], options: { maxNewTokens: 6, numBeams: 3, doSample: false } },
  {
    name: 'speculation',
    prompts: [repetitive],
    options: { maxNewTokens: 10, doSample: false, promptLookupNumTokens: 4 }
  },
  { name: 'long prompt', prompts: [prompt(8, 90)], options: { maxNewTokens: 6, doSample: false } }
]

function examplesOf(seed: number, count: number): Example[] {
  return Array.from({ length: count }, (_, index) => {
    const ids = prompt(seed + index, 8 + ((seed + index) % 4))
    return { ids, labels: ids.map((id, at) => (at < 2 ? ignoredLabel : id)) }
  })
}

const common = { learningRate: 5e-3, padTokenId: 2, saveSteps: 2, perDeviceTrainBatchSize: 3 }

const trainingCases: readonly TrainingCase[] = [
  {
    name: 'lora',
    peft: { peftType: 'LORA', r: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'] },
    seed: 3,
    examples: examplesOf(100, 9),
    options: { ...common, maxSteps: 7, seed: 5 }
  },
  {
    name: 'prompt tuning',
    peft: { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 },
    seed: 4,
    examples: examplesOf(200, 6),
    options: { ...common, maxSteps: 5, seed: 6, gradientAccumulationSteps: 2 }
  }
]

/** The files of a run whose bytes depend on nothing but what it has learned. */
export async function filesOfRun(
  folder: string,
  { options: { maxSteps } }: TrainingCase
): Promise<Map<string, Buffer>> {
  const names = ['adapter_model.safetensors', `checkpoint-${maxSteps}/training_state.safetensors`]
  const files = new Map<string, Buffer>()
  for (const name of names) files.set(name, await readFile(join(folder, name)))
  return files
}

/** As `RemoteSequential` cuts batches and adds gradients, over blocks of this process. */
class BlocksHere {
  readonly #blocks: LocalBlocks

  constructor(blocks: LocalBlocks) {
    this.#blocks = blocks
  }

  async forward(hidden: Float32Tensor, { mask, ports }: RemoteForwardOptions = {}): Promise<ForwardPass> {
    const [batch, sequence] = hidden.shape as [number, number, number]
    const parts = splitRows(batch, sequence, subBatchTokens)
    const passes: ForwardPass[] = []
    for (const { first, end } of parts) {
      passes.push(
        await this.#blocks.forward(rowsOf(hidden, first, end), { mask: mask && rowsOf(mask, first, end), ports })
      )
    }
    return {
      hidden: joinRows(passes.map(pass => pass.hidden)),
      backward: async gradient => {
        const gradients = []
        for (const [index, { first, end }] of parts.entries()) {
          gradients.push(await passes[index]!.backward(rowsOf(gradient, first, end)))
        }
        return {
          hidden: joinRows(gradients.map(each => each.hidden)),
          ports: sumPorts(gradients.map(each => each.ports))
        }
      }
    }
  }

  traffic(): { peers: number; retries: number } {
    return { peers: 0, retries: 0 }
  }
}

/** A model without a network: the client's own code but for the blocks. */
async function openHere(path: string): Promise<{ parts: CausalParts; close(): Promise<void> }> {
  const checkpoint = await openCheckpoint(path)
  const { family, config } = checkpoint
  const parameters = new Map<string, Awaited<ReturnType<typeof loadParameter>>>()
  for (const { name } of family.clientTensors(config)) parameters.set(name, await loadParameter(checkpoint, name))
  const programs = new LocalPrograms(parameters, { threads: 1 })
  const weight = parameters.get(family.clientTensorNames(config).embedding)!
  const local = new LocalBlocks(checkpoint)
  const parts = {
    checkpoint,
    parameters,
    programs,
    logger: silent,
    tokenizer: null,
    owned: new Set(),
    network: undefined as never,
    embeddings: new Embeddings({ checkpoint, weight, programs }),
    blocks: new BlocksHere(local) as unknown as RemoteSequential,
    close: async () => {}
  }
  const head = new LanguageHead(parts)
  return {
    parts: { ...parts, head } as CausalParts,
    async close() {
      await programs.close()
      await local[Symbol.asyncDispose]()
    }
  }
}

/** A generation that computes its whole text for every token. */
class WholeText implements GenerationModel {
  readonly #parts: CausalParts
  #rows: number[][] = []

  constructor(parts: CausalParts) {
    this.#parts = parts
  }

  async #logits(row: readonly number[], from: number): Promise<Float32Array[]> {
    const { embeddings, blocks, head } = this.#parts
    const positions = int64([1, row.length], [...row.keys()])
    const { hidden } = await embeddings.enter(int64([1, row.length], row), positions)
    const pass = await blocks.forward(hidden)
    const { shape, data } = await head.logits(pass.hidden)
    const vocabulary = shape[2]!
    return Array.from({ length: row.length - from }, (_, index) =>
      (data as Float32Array).slice((from + index) * vocabulary, (from + index + 1) * vocabulary)
    )
  }

  async #last(): Promise<Float32Tensor> {
    const rows: Float32Array[] = []
    for (const row of this.#rows) rows.push((await this.#logits(row, row.length - 1))[0]!)
    return joined(rows)
  }

  async prefill(rows: readonly (readonly number[])[]): Promise<Float32Tensor> {
    this.#rows = rows.map(row => [...row])
    return await this.#last()
  }

  async step(ids: readonly number[]): Promise<Float32Tensor> {
    for (const [index, id] of ids.entries()) this.#rows[index]!.push(id)
    return await this.#last()
  }

  async extend(ids: readonly number[]): Promise<Float32Tensor> {
    const [row] = this.#rows
    const from = row!.length
    row!.push(...ids)
    return joined(await this.#logits(row!, from))
  }

  retract(count: number): void {
    for (const row of this.#rows) row.length -= count
  }

  reorder(parents: readonly number[]): void {
    this.#rows = parents.map(parent => [...this.#rows[parent]!])
  }
}

function joined(rows: readonly Float32Array[]): Float32Tensor {
  const width = rows[0]!.length
  const data = new Float32Array(rows.length * width)
  for (const [index, row] of rows.entries()) data.set(row, index * width)
  return { dtype: 'float32', shape: [rows.length, width], data }
}

/** A new model with an adapter for a case. */
export async function adapted(base: DistributedModelForCausalLM, { peft, seed }: TrainingCase) {
  return await getPeftModel(base, peft, { seed })
}

/** Computes what every case has to give. */
export async function consultOracle(path: string): Promise<Oracle> {
  const here = await openHere(path)
  const generations: ExpectedGeneration[] = []
  const { eosTokenIds, padTokenId } = here.parts.checkpoint.config
  for (const each of generationCases) {
    const steps: (readonly (number | null)[])[] = []
    const options = { eosTokenIds, padTokenId, ...each.options }
    for await (const { tokens } of generate(new WholeText(here.parts), each.prompts, options)) steps.push(tokens)
    generations.push({ ...each, steps })
  }
  const trainings: ExpectedTraining[] = []
  for (const each of trainingCases) {
    const folder = await mkdtemp(join(tmpdir(), 'swarm-oracle-'))
    const model = await adapted(new DistributedModelForCausalLM(here.parts), each)
    for await (const _ of train(model, each.examples, { ...each.options, outputDir: folder })) {
      // every step is made as it is asked for
    }
    await model.savePretrained(folder)
    trainings.push({ ...each, files: await filesOfRun(folder, each) })
    await rm(folder, { recursive: true })
  }
  await here.close()
  return { generations, trainings }
}
