// The head of a task over labelled classes, as the family's class in transformers has it: last norm, the head's layers with their
// dropout, and the loss. One for sequences, tokens, answers and masked words.
import { SwarmError } from '../../common/errors.ts'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import type { Dim, Graph } from '../../graph/graph.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { type ModelConfig, stackNamed } from '../../model/config/config.ts'
import type { HeadDescription, HeadTask, TaskGraphOptions } from '../../model/family.ts'
import type { Embeddings } from '../local/embeddings.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import { LocalPrograms } from '../local/programs.ts'
import { taskModules } from '../tuning/index.ts'
import { StackBridge } from './bridge.ts'
import { isModuleOf, isOfBody, type ModulesToSave } from './modules-to-save.ts'
import { type HeadLoss, HeadProgram, lossGradient, type TaskHead, type Wanted } from './program.ts'
import { type TrainedModules, trainedModules } from './trained-modules.ts'

/** Of the random numbers that a pass' seed gives, those of the head. */
const dropoutStream = 3

/** What a loss compares logits with; see HeadLossKind of the families. */
export type HeadTarget =
  | { readonly kind: 'classes'; readonly labels: Tensor<'int64'> }
  | { readonly kind: 'spans'; readonly labels: Tensor<'int64'>; readonly padding: Float32Tensor }
  | { readonly kind: 'flags' | 'numbers'; readonly targets: Float32Tensor }

/** The states that a head takes. */
export interface HeadStates {
  /** [batch, positions, hidden] */
  readonly hidden: Float32Tensor
  /** [batch, 1, positions], what each counts in the mean; only for heads that take it */
  readonly share?: Float32Tensor
}

export interface ClassificationInit {
  readonly task: HeadTask
  readonly classes: number
  /** the head's own tensors, by their names in the checkpoint */
  readonly layers: readonly Parameter[]
  /** names of those that the checkpoint does not have */
  readonly fresh: ReadonlySet<string>
  /** probability with which training drops numbers of a state */
  readonly dropout: number
  readonly threads?: number
}

interface Components {
  readonly checkpoint: Checkpoint
  /** over the model's own tensors, the last norm among them */
  readonly programs: LocalPrograms
  /** of tokens that enter the first block */
  readonly embeddings: Embeddings
}

/** What belongs to an adapter over the head. */
interface Trained {
  readonly modules: TrainedModules | null
  /** names of modules beside those that PEFT trains anyway */
  readonly named: readonly string[]
}

/** Whether the states of a head come from a decoder that attends to an encoder. */
function readsDecoder(config: ModelConfig, { stack }: HeadDescription): boolean {
  const hasTwo = stackNamed(config, 'encoder') !== undefined && stackNamed(config, 'decoder') !== undefined
  return hasTwo && stack !== 'encoder'
}

/** The module that PEFT would be told: that of the tensors of one layer, or of a head whose layers lie in one. */
function moduleToName(tensorName: string): string {
  const path = tensorName.split('.').slice(0, -1)
  const known = path.findIndex(part => /^(classification_head|classifier|head|pooler)$/.test(part))
  return known === -1 ? path.join('.') : path[known]!
}

export class ClassificationHead implements TaskHead<ClassificationHead> {
  /** those that are trained: of a head under an adapter, copies */
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings | null
  readonly description: HeadDescription
  readonly savedModules: readonly string[]
  /** of a head over the decoder of a model with two stacks; else null */
  readonly bridge: StackBridge | null
  readonly #components: Components
  readonly #init: ClassificationInit
  readonly #own: TrainedModules | null
  readonly #programs: LocalPrograms

  constructor(components: Components, init: ClassificationInit, trained: Trained = { modules: null, named: [] }) {
    const { layers, threads, task } = init
    const { family, config } = components.checkpoint
    const own = trained.modules
    this.parameters = [...(own?.parameters ?? []), ...layers.filter(({ requiresGrad }) => requiresGrad)]
    this.embeddings = own?.embeddings ?? null
    this.description = family.taskHead(config, task)!
    this.savedModules = trained.named
    this.bridge = readsDecoder(config, this.description) ? new StackBridge(components, own) : null
    this.#components = components
    this.#init = init
    this.#own = own
    const { parameters } = own?.programs ?? components.programs
    this.#programs = new LocalPrograms(new Map([...parameters, ...layers.map(each => [each.name, each] as const)]), {
      threads
    })
  }

  /** The last dimension of the logits. */
  get classes(): number {
    return this.#init.classes
  }

  get dropout(): number {
    return this.#init.dropout
  }

  /** Names of tensors that no checkpoint and no adapter has filled: they are random. */
  get fresh(): readonly string[] {
    return [...this.#init.fresh]
  }

  /** Whether any tensor of norm or head requires a gradient. */
  get requiresGrad(): boolean {
    return this.#program({}).requiresGrad
  }

  /** States -> logits [batch, positions, classes]. `seed`: of the dropout; null: none. */
  async logits(states: HeadStates, seed: number | null): Promise<Float32Tensor> {
    const program = this.#program({ dropout: this.#drops(seed) })
    const masks = this.#masks(program.graph, states, seed)
    const { results } = await program.run({ ...states, ...masks }, { hidden: false, parameters: false })
    return results.logits as Float32Tensor
  }

  /** The same with the loss against labels or numbers. */
  async loss(states: HeadStates, target: HeadTarget, seed: number | null, wanted: Wanted): Promise<HeadLoss> {
    const { kind, ...against } = target
    const { labelSmoothing } = wanted
    const program = this.#program({ dropout: this.#drops(seed), loss: kind, labelSmoothing })
    const masks = this.#masks(program.graph, states, seed)
    const { results, backward } = await program.run({ ...states, ...against, ...masks }, wanted)
    return {
      value: (results.loss as Float32Tensor).data[0]!,
      logits: results.logits as Float32Tensor,
      backward: scale => backward(lossGradient(scale))
    }
  }

  hasModule(name: string): boolean {
    return taskModules(this.#init.task).includes(name) || this.#init.layers.some(layer => isModuleOf(layer.name, name))
  }

  /**
   * What PEFT trains of a head is trained with every adapter. So is, with a new adapter, what the checkpoint lacks: PEFT leaves it as it
   * was made and saves it nowhere, so that what was trained over it would be lost.
   */
  copy({ modules, paths, biases, changes, head = [] }: ModulesToSave): ClassificationHead {
    const { task, layers, fresh } = this.#init
    const known = taskModules(task)
    const given = [...modules, ...(head === 'fresh' ? [] : head)].filter(name => !known.includes(name))
    const names = [...known, ...given]
    const isKnown = ({ name }: Parameter) => names.some(end => isModuleOf(name, end))
    const isNew = ({ name }: Parameter) => head === 'fresh' && fresh.has(name)
    const isTrained = (layer: Parameter) => isKnown(layer) || isNew(layer) || (biases && layer.name.endsWith('.bias'))
    const again = (layer: Parameter): Parameter => ({
      ...parameter(layer.name, layer.shape, isTrained(layer) ? layer.data.slice() : layer.data),
      requiresGrad: isTrained(layer)
    })
    const init = {
      ...this.#init,
      layers: layers.map(again),
      fresh: new Set(layers.filter(layer => fresh.has(layer.name) && !isTrained(layer)).map(({ name }) => name))
    }
    // its own layers are trained whether they are named or not
    const others = given.filter(name => isOfBody(name, this.#components.checkpoint, task) || !this.hasModule(name))
    const own = trainedModules(this.#components, { modules: others, paths, biases, changes }, task)
    const added = layers.filter(layer => isNew(layer) && !isKnown(layer)).map(({ name }) => moduleToName(name))
    const named = [...new Set([...given.filter(name => this.hasModule(name)), ...added])]
    return new ClassificationHead(this.#components, init, { modules: own, named })
  }

  async close(): Promise<void> {
    await Promise.all([this.#own?.close(), this.#programs.close()])
  }

  #program(variant: Omit<TaskGraphOptions, 'task' | 'classes'>): HeadProgram {
    const { family, config } = this.#components.checkpoint
    const { task, classes } = this.#init
    const build = () => family.taskGraph(config, { task, classes, ...variant })
    return new HeadProgram({ programs: this.#programs }, { build, output: 'loss' })
  }

  #drops(seed: number | null): boolean {
    return seed !== null && this.#init.dropout > 0
  }

  /** What states are multiplied with, at every place where the graph drops some. */
  #masks({ inputs }: Graph, { hidden }: HeadStates, seed: number | null): Record<string, Float32Tensor> {
    const { dropout: probability } = this.#init
    if (seed === null || probability === 0) return {}
    const random = createRandom(seed, dropoutStream)
    const sizes: Readonly<Record<string, number>> = { batch: hidden.shape[0]!, seq: hidden.shape[1]! }
    const sizeOf = (dim: Dim): number => {
      const size = typeof dim === 'number' ? dim : sizes[dim]
      if (size === undefined) throw new SwarmError('INTERNAL', `dropout of a head: no size for '${dim}'`)
      return size
    }
    const masks: Record<string, Float32Tensor> = {}
    for (const { name, shape } of inputs.filter(each => /^dropout(\.\d+)?$/.test(each.name))) {
      const mask = tensor('float32', shape.map(sizeOf))
      for (let index = 0; index < mask.data.length; index++) {
        mask.data[index] = random.uniform() < probability ? 0 : 1 / (1 - probability)
      }
      masks[name] = mask
    }
    return masks
  }
}
