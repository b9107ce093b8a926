// Cases that scripts/reference/llama.py computed with PyTorch and PEFT, as feeds and expected values.
import { type Tensor, tensor } from '../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { rotaryFeeds, type Tensors } from './spans.ts'
import { readReference, referencePath } from './support.ts'

export interface ReferenceCase {
  readonly checkpoint: Checkpoint
  /** inputs of a forward span graph, and `grad.hidden_out` */
  readonly feeds: Tensors
  /** port names among the feeds */
  readonly ports: readonly string[]
  /** `hidden_out`, `grad.hidden`, and `grad.<port>` of every port */
  readonly expected: Tensors
}

const alwaysInputs = ['hidden', 'mask']

export async function readCase(model: string, name: string): Promise<ReferenceCase> {
  const checkpoint = await openCheckpoint(referencePath(model))
  const feeds: Tensors = rotaryFeeds(checkpoint)
  const expected: Tensors = {}
  const ports: string[] = []
  for (const [key, value] of Object.entries(await readReference(model))) {
    if (!key.startsWith(`${name}.`)) continue
    const field = key.slice(name.length + 1)
    if (field === 'grad_hidden_out') feeds['grad.hidden_out'] = value
    else if (field === 'grad_hidden') expected['grad.hidden'] = value
    else if (field === 'hidden_out' || field.startsWith('grad.')) expected[field] = value
    else if (alwaysInputs.includes(field) || field.startsWith('blocks.')) feeds[field] = value
    if (/^blocks\..*(A|B|prompt|key|value)$/.test(field)) ports.push(field)
  }
  return { checkpoint, feeds, ports, expected }
}

/** Hidden states with what stands at padding set to zero: nothing is promised of it. */
export function withoutPadding(hidden: Tensor, mask: Tensor): Tensor {
  const width = hidden.shape.at(-1)!
  const data = (hidden.data as Float32Array).map((value, i) => (Number(mask.data[Math.floor(i / width)]) ? value : 0))
  return tensor('float32', hidden.shape, data as Float32Array<ArrayBuffer>)
}
