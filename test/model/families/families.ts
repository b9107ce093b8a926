// The models that the shared suite of families runs, with what scripts/reference/<family>.py computed of them by PyTorch.
import { readFile } from 'node:fs/promises'
import type { Tensor } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import type { Stack } from '../../../model/config/config.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import type { ReferenceCase } from '../reference-cases.ts'
import { rotaryFeeds, type Tensors } from '../spans.ts'
import { referencePath } from '../support.ts'

/** By family: names under test/reference/families. A new family is a row. */
export const familyModels = {
  llama: ['qwen3', 'qwen3-sliding', 'mistral-sliding', 'yarn', 'yarn-mscale', 'dynamic', 'float8'],
  gpt2: ['gpt2', 'gpt2-odd'],
  bloom: ['bloom', 'bloom-odd'],
  opt: ['opt', 'opt-350m'],
  gpt_neox: ['gpt_neox', 'gpt_neox-sequential'],
  falcon: ['falcon-7b', 'falcon-40b', 'falcon-11b', 'falcon-sequential', 'falcon-rw'],
  gemma: ['gemma2', 'gemma', 'gemma3', 'gemma3-new'],
  mixtral: ['mixtral', 'mixtral-odd']
} as const

/** Models with an encoder and a decoder, by family. */
export const stackModels = {
  t5: ['t5', 't5-gated', 'mt5', 'umt5'],
  bart: ['bart', 'mbart']
} as const

export function familyPath(model: string): string {
  return referencePath(`families/${model}`)
}

/** Everything that PyTorch computed of a model, named `<case>.<tensor>`. */
export async function readFamilyReference(model: string): Promise<Tensors> {
  const path = familyPath(`${model}.safetensors`)
  return decodeSafetensors(await readFile(path), path).tensors
}

/** Names of the tensors that PEFT saves of LoRA on every linear module. */
export async function readPeftNames(model: string): Promise<string[]> {
  const path = familyPath(`${model}.safetensors`)
  return JSON.parse(decodeSafetensors(await readFile(path), path).metadata.peft!) as string[]
}

/** Feeds of a span graph and expected values of one case. */
export async function readFamilyCase(model: string, name: string): Promise<ReferenceCase> {
  const checkpoint = await openCheckpoint(familyPath(model))
  const feeds: Tensors = rotaryFeeds(checkpoint)
  const expected: Tensors = {}
  const ports: string[] = []
  for (const [key, value] of Object.entries(await readFamilyReference(model))) {
    if (!key.startsWith(`${name}.`)) continue
    const field = key.slice(name.length + 1)
    if (field === 'grad_hidden_out') feeds['grad.hidden_out'] = value
    else if (field === 'grad_hidden') expected['grad.hidden'] = value
    else if (field === 'hidden_out' || field.startsWith('grad.')) expected[field] = value
    else feeds[field] = value
    if (field.startsWith('blocks.')) ports.push(field)
  }
  return { checkpoint, feeds, ports, expected }
}

/** Of one stack of a model that has an encoder and a decoder. */
export interface StackCase {
  readonly checkpoint: Checkpoint
  /** inputs of the stack's forward graph, and `grad.hidden_out` */
  readonly feeds: Tensors
  readonly ports: readonly string[]
  readonly expected: Tensors
}

export async function readStackCase(model: string, name: string, side: Stack['name']): Promise<StackCase> {
  const checkpoint = await openCheckpoint(familyPath(model))
  const feeds: Tensors = {}
  const expected: Tensors = {}
  const prefix = `${name}.${side}.`
  for (const [key, value] of Object.entries(await readFamilyReference(model))) {
    if (!key.startsWith(prefix)) continue
    const field = key.slice(prefix.length)
    const isResult = field === 'hidden_out' || (field.startsWith('grad.') && field !== 'grad.hidden_out')
    ;(isResult ? expected : feeds)[field] = value
  }
  return { checkpoint, feeds, ports: Object.keys(feeds).filter(field => field.startsWith('blocks.')), expected }
}

/** What a backward pass gives gradients of. */
export const statesOf = (side: Stack['name']): readonly string[] =>
  side === 'encoder' ? ['hidden'] : ['hidden', 'encoder_hidden']

/** Position of each token among its row's tokens, 0 for padding. */
export function positionsOf(mask: Tensor): Tensor<'int64'> {
  const [batch, seq] = mask.shape as [number, number]
  const data = new BigInt64Array(batch * seq)
  for (let row = 0; row < batch; row++) {
    let next = 0n
    for (let place = row * seq; place < (row + 1) * seq; place++) if (Number(mask.data[place])) data[place] = next++
  }
  return { dtype: 'int64', shape: mask.shape, data }
}
