// The head of a classification: final norm, dropout, a linear layer of one row for each label, cross entropy. The same for
// sequences, where a sequence is one position, and for tokens.
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import type { Embeddings } from '../local/embeddings.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import { LocalPrograms } from '../local/programs.ts'
import { classifierModules } from '../tuning/index.ts'
import type { ModulesToSave } from './modules-to-save.ts'
import { type HeadLoss, HeadProgram, lossGradient, type TaskHead, type Wanted } from './program.ts'
import { type TrainedModules, trainedModules } from './trained-modules.ts'

/** Of the random numbers that a pass' seed gives, those of the head. */
const dropoutStream = 3

export interface ClassificationInit {
  /** [numLabels, width] */
  readonly weight: Parameter
  /** [numLabels]; null where the family has none */
  readonly bias: Parameter | null
  /** probability with which training drops numbers of a state */
  readonly dropout: number
  readonly threads?: number
}

interface Components {
  readonly checkpoint: Checkpoint
  /** over the model's own tensors, the last norm among them */
  readonly programs: LocalPrograms
}

export class ClassificationHead implements TaskHead<ClassificationHead> {
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings | null
  readonly #components: Components
  readonly #init: ClassificationInit
  readonly #own: TrainedModules | null
  readonly #programs: LocalPrograms

  constructor(components: Components, init: ClassificationInit, own: TrainedModules | null = null) {
    const { weight, bias, threads } = init
    const layer = bias === null ? [weight] : [weight, bias]
    this.parameters = [...(own?.parameters ?? []), ...layer]
    this.embeddings = own?.embeddings ?? null
    this.#components = components
    this.#init = init
    this.#own = own
    const { parameters } = own?.programs ?? components.programs
    this.#programs = new LocalPrograms(new Map([...parameters, ...layer.map(each => [each.name, each] as const)]), {
      threads
    })
  }

  get numLabels(): number {
    return this.#init.weight.shape[0]!
  }

  get dropout(): number {
    return this.#init.dropout
  }

  /** Whether any tensor of norm or head requires a gradient. */
  get requiresGrad(): boolean {
    return this.#program({}).requiresGrad
  }

  /** Hidden states [batch, seq, hidden] -> logits [batch, seq, numLabels]. `seed`: of the dropout; null: none. */
  async logits(hidden: Float32Tensor, seed: number | null): Promise<Float32Tensor> {
    const masks = this.#masks(hidden, seed)
    const none = { hidden: false, parameters: false }
    const { results } = await this.#program({ dropout: masks !== null }).run({ hidden, ...masks }, none)
    return results.logits as Float32Tensor
  }

  /** The same with the loss against labels [batch, seq]. */
  async loss(hidden: Float32Tensor, labels: Tensor<'int64'>, seed: number | null, wanted: Wanted): Promise<HeadLoss> {
    const masks = this.#masks(hidden, seed)
    const { labelSmoothing } = wanted
    const program = this.#program({ dropout: masks !== null, loss: true, labelSmoothing })
    const { results, backward } = await program.run({ hidden, labels, ...masks }, wanted)
    return {
      value: (results.loss as Float32Tensor).data[0]!,
      logits: results.logits as Float32Tensor,
      backward: scale => backward(lossGradient(scale))
    }
  }

  copy({ modules, biases, changes }: ModulesToSave): ClassificationHead {
    const { weight, bias } = this.#init
    const again = ({ name, shape, data }: Parameter) => parameter(name, shape, data.slice())
    const init = { ...this.#init, weight: again(weight), bias: bias && again(bias) }
    // its own layer is trained whether it is named or not
    const others = modules.filter(name => !classifierModules.includes(name))
    const own = trainedModules(this.#components, { modules: others, biases, changes }, 'SEQ_CLS')
    return new ClassificationHead(this.#components, init, own)
  }

  async close(): Promise<void> {
    await Promise.all([this.#own?.close(), this.#programs.close()])
  }

  #program(variant: { dropout?: boolean; loss?: boolean; labelSmoothing?: number }): HeadProgram {
    const { family, config } = this.#components.checkpoint
    const { weight, bias } = this.#init
    const options = { weight: weight.name, bias: bias?.name, numLabels: this.numLabels, ...variant }
    return new HeadProgram(
      { programs: this.#programs },
      { build: () => family.classifier(config, options), output: 'loss' }
    )
  }

  #masks({ shape }: Float32Tensor, seed: number | null): { dropout: Float32Tensor } | null {
    const { dropout: probability, weight } = this.#init
    if (seed === null || probability === 0) return null
    const random = createRandom(seed, dropoutStream)
    const mask = tensor('float32', [shape[0]!, shape[1]!, weight.shape[1]!])
    for (let index = 0; index < mask.data.length; index++) {
      mask.data[index] = random.uniform() < probability ? 0 : 1 / (1 - probability)
    }
    return { dropout: mask }
  }
}
