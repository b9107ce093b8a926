// What an adapter trains of a model outside the blocks: whole modules (PEFT's modules_to_save), and biases (its bias 'all'). Which
// tensors they are, and copies of them. Knows no tuning method.
import { SwarmError } from '../../common/errors.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { sharedTensor } from '../../runtime/session.ts'
import { ChangedWeight, type WeightSource } from '../local/changed-weight.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import type { TaskType } from '../tuning/index.ts'

/** What transformers calls the module of the scores, whatever the checkpoint calls it. */
const headModule = 'lm_head'

/** What is trained outside the blocks. */
export interface ModulesToSave {
  /** whole modules, by the end of their path */
  readonly modules: readonly string[]
  /** and these, by their whole paths; default none */
  readonly paths?: readonly string[]
  /** every bias */
  readonly biases: boolean
  /** embedding and head stay one matrix where they are one, whichever of them is chosen; default: each is trained by itself */
  readonly tied?: boolean
  /** weights that the adapter changes and does not train whole, by the names of their tensors in the checkpoint; default none */
  readonly changes?: readonly (readonly [tensor: string, source: WeightSource])[]
  /** modules of the task's head: 'fresh' of a new adapter, else those that its file names; default none but those of the task */
  readonly head?: 'fresh' | readonly string[]
}

/** Whether a tensor lies in a module that a name means, as PEFT matches it: by the end of the path of any module around it. */
export function isModuleOf(tensor: string, name: string): boolean {
  const parts = tensor.split('.').slice(0, -1)
  return parts.some((_, index) =>
    parts
      .slice(0, index + 1)
      .join('.')
      .endsWith(name)
  )
}

/** A tensor outside the blocks. */
export interface ModuleTensor {
  /** path as PEFT sees it: `model.norm` */
  readonly module: string
  /** with that path: `model.norm.weight` */
  readonly name: string
  /** in the checkpoint and in graphs */
  readonly tensor: string
  readonly isHead: boolean
  /** the head's name, of a matrix that is embedding and head and is trained as one */
  readonly alias?: string
}

export interface OwnModules {
  /** copies of what is trained whole, by the names that PEFT gives the tensors */
  readonly parameters: readonly Parameter[]
  /** all of the model's tensors with the copies and the changed ones in their places, for what comes before the blocks and for what comes after */
  readonly before: ReadonlyMap<string, Parameter>
  readonly after: ReadonlyMap<string, Parameter>
}

const pathOf = (tensor: string): string => tensor.slice(0, tensor.lastIndexOf('.'))

/**
 * The tensors outside the blocks that a task uses; a tied matrix is there twice, as embedding and as head, which only language
 * models have.
 */
function moduleTensors(
  { family, config }: Pick<Checkpoint, 'family' | 'config'>,
  task: TaskType
): readonly ModuleTensor[] {
  const { embedding, head } = family.clientTensorNames(config)
  const headPath = pathOf(head)
  const named = (tensor: string, isHead: boolean): ModuleTensor => {
    const name = isHead ? `${headModule}${tensor.slice(headPath.length)}` : family.pathIn(config, task, tensor)
    return { module: pathOf(name), name, tensor, isHead }
  }
  const tensors = family
    .clientTensors(config)
    .map(({ name }) => named(name, head !== embedding && pathOf(name) === headPath))
  if (task !== 'CAUSAL_LM' && task !== 'SEQ_2_SEQ_LM') return tensors.filter(({ isHead }) => !isHead)
  return head === embedding ? [...tensors, named(head, true)] : tensors
}

/** Throws INVALID_ARGUMENT where a name means modules of blocks as well, as PEFT would have it: those stay on the servers. */
function refuseBlocks(name: string, { family, config }: Pick<Checkpoint, 'family' | 'config'>, names: string): void {
  const blocks = Array.from({ length: config.numBlocks }, (_, block) => block)
  const inBlocks = blocks.flatMap(block => family.blockTensorNames(config, block)).map(pathOf)
  const found = inBlocks.find(path => path.endsWith(name))
  if (found === undefined) return
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `modulesToSave: '${name}' also names modules of blocks (${found}), which are not trained whole; outside them there are ${names}`
  )
}

/** Whether a name means a module outside the blocks that is none of a task's head. Throws INVALID_ARGUMENT where it means modules of blocks. */
export function isOfBody(name: string, checkpoint: Pick<Checkpoint, 'family' | 'config'>, task: TaskType): boolean {
  const modules = moduleTensors(checkpoint, task).map(({ module }) => module)
  refuseBlocks(name, checkpoint, [...new Set(modules)].join(', '))
  return modules.some(module => module.endsWith(name))
}

/**
 * The tensors that are chosen, modules by the end of their path as in PEFT. With `tied`, a matrix that is embedding and head comes
 * once. Throws INVALID_ARGUMENT, with the names there are, where a name matches nothing.
 */
export function chosenTensors(
  checkpoint: Pick<Checkpoint, 'family' | 'config'>,
  { modules: names, paths = [], biases, tied }: ModulesToSave,
  task: TaskType
): readonly ModuleTensor[] {
  const tensors = moduleTensors(checkpoint, task)
  const known = [...new Set(tensors.map(({ module }) => module))].join(', ')
  for (const name of names) {
    refuseBlocks(name, checkpoint, known)
    if (tensors.some(({ module }) => module.endsWith(name))) continue
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `modulesToSave: no module matches '${name}'; outside the blocks there are ${known}`
    )
  }
  const chosen = tensors.filter(
    ({ module, name }) =>
      names.some(end => module.endsWith(end)) || paths.includes(module) || (biases && name.endsWith('.bias'))
  )
  if (!tied) return chosen
  const { embedding: matrix } = checkpoint.family.clientTensorNames(checkpoint.config)
  const uses = tensors.filter(({ tensor }) => tensor === matrix)
  const [embedding, head] = [uses.find(({ isHead }) => !isHead), uses.find(({ isHead }) => isHead)]
  const others = chosen.filter(({ tensor }) => tensor !== matrix)
  if (embedding === undefined || head === undefined || others.length === chosen.length) return chosen
  return [...others, { ...embedding, alias: head.name }]
}

/**
 * Copies of the tensors that are chosen. A tied matrix that is trained as embedding or as head is no longer the other, unless
 * `tied` keeps them one. Throws as `chosenTensors`.
 */
export function modulesToSaveOf(
  checkpoint: Pick<Checkpoint, 'family' | 'config'>,
  parameters: ReadonlyMap<string, Parameter>,
  chosen: ModulesToSave,
  task: TaskType
): OwnModules {
  const before = new Map(parameters)
  const after = new Map(parameters)
  const { embedding, head } = checkpoint.family.clientTensorNames(checkpoint.config)
  const copies = chosenTensors(checkpoint, chosen, task).map(({ name, tensor, isHead, alias }) => {
    const { shape, data } = parameters.get(tensor)!
    const copy = sharedTensor('float32', shape)
    copy.data.set(data)
    if (alias !== undefined) {
      const own = { ...parameter(name, shape, copy.data), alias }
      before.set(tensor, own)
      after.set(tensor, own)
      return own
    }
    const own = parameter(name, shape, copy.data)
    const isTied = head === embedding && tensor === head
    if (!isTied || !isHead) before.set(tensor, own)
    if (!isTied || isHead) after.set(tensor, own)
    return own
  })
  for (const [tensor, source] of chosen.changes ?? []) {
    const changed = new ChangedWeight(parameters.get(tensor)!, source)
    if (source.where !== 'after') before.set(tensor, changed)
    if (source.where !== 'before') after.set(tensor, changed)
  }
  return { parameters: copies, before, after }
}
