// Merges tensors outside the blocks that an adapter trained whole (modules_to_save): they replace the model's own. Knows no files.
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { setField } from '../../model/config/config-text.ts'
import { chosenTensors, type ModulesToSave } from '../heads/modules-to-save.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import type { TaskType } from '../tuning/index.ts'
import type { MergePlan } from './merge.ts'

/** A tensor that the model does not have yet. */
export interface AddedTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** its elements are stored as this tensor's of the checkpoint are; default float32 */
  readonly like?: string
  load(): Promise<Float32Tensor>
}

export interface ModulesReplacement {
  /** to be filled with what the adapter holds, by the names that PEFT gives them */
  readonly parameters: readonly Parameter[]
  /** what is overwritten, once they are filled */
  readonly plan: MergePlan
  /** the head of a model whose embedding was its head too, where they part */
  readonly added: readonly AddedTensor[]
  readonly editConfig: (text: string) => string
}

/** `read` gives a tensor of the checkpoint as float32. Throws INVALID_ARGUMENT for modules that there are not. */
export function replaceModulesToSave(
  checkpoint: Pick<Checkpoint, 'family' | 'config' | 'tensors'>,
  chosen: ModulesToSave,
  task: TaskType,
  read: (name: string) => Promise<Float32Tensor>
): ModulesReplacement {
  const { family, config, tensors } = checkpoint
  const { embedding, head } = family.clientTensorNames(config)
  const own = chosenTensors(checkpoint, chosen, task).map(each => {
    const made = parameter(each.name, tensors.get(each.tensor)!.shape)
    return { ...each, parameter: each.alias === undefined ? made : { ...made, alias: each.alias } }
  })
  const isParted = ({ tensor, alias }: { tensor: string; alias?: string }): boolean =>
    tensor === head && alias === undefined
  const parts = task === 'CAUSAL_LM' && head === embedding && own.some(isParted)
  const headOfOwn = own.find(({ isHead }) => isHead)?.parameter
  const overwritten = own.filter(({ isHead }) => !(parts && isHead))
  const plan = new Map(
    overwritten.map(
      ({ tensor, parameter: { data } }) => [tensor, (floats: Float32Tensor) => floats.data.set(data)] as const
    )
  )
  const parameters = own.map(({ parameter }) => parameter)
  if (!parts) return { parameters, plan, added: [], editConfig: text => text }
  const untied = family.parseConfig({ ...(config.raw as object), tie_word_embeddings: false })
  const { shape } = tensors.get(embedding)!
  const load = async (): Promise<Float32Tensor> =>
    headOfOwn === undefined ? await read(embedding) : tensor('float32', shape, headOfOwn.data)
  return {
    parameters,
    plan,
    added: [{ name: family.clientTensorNames(untied).head, shape, like: embedding, load }],
    editConfig: text => setField(text, 'tie_word_embeddings', false)
  }
}
