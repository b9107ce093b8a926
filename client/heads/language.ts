// The head of a language model: final norm, scores of the vocabulary and loss, as graphs over the model's own tensors.
import type { Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint.ts'
import { Embeddings } from '../embeddings.ts'
import { ownModules } from '../own-modules.ts'
import type { Parameter } from '../parameter.ts'
import { Programs } from '../programs.ts'
import { type HeadLoss, HeadProgram, lossGradient, type TaskHead, type Wanted } from './program.ts'

type Floats = Tensor<'float32'>

/** What a head holds that an adapter trains with modules of its own. */
interface Own {
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings
  readonly close: () => Promise<void>
}

export class LanguageHead implements TaskHead<LanguageHead> {
  readonly parameters: readonly Parameter[]
  /** the embeddings that belong to the parameters; null where they are the model's */
  readonly embeddings: Embeddings | null
  readonly #own: Own | null
  readonly #checkpoint: Checkpoint
  readonly #programs: Programs

  constructor(components: { checkpoint: Checkpoint; programs: Programs }, own: Own | null = null) {
    this.parameters = own?.parameters ?? []
    this.embeddings = own?.embeddings ?? null
    this.#own = own
    this.#checkpoint = components.checkpoint
    this.#programs = components.programs
  }

  /** Whether any tensor of norm or head requires a gradient. */
  get requiresGrad(): boolean {
    return this.#program().requiresGrad
  }

  /** Hidden states [batch, seq, hidden] -> logits [batch, seq, vocab]. */
  async logits(hidden: Floats): Promise<Floats> {
    const { family, config } = this.#checkpoint
    const session = await this.#programs.compile('logits', () => family.head(config, { trainable: true }))
    const { logits } = await this.#programs.run(session, { hidden })
    return logits as Floats
  }

  /** Loss of hidden states [batch, seq, hidden] against labels [batch, seq]; labels are shifted inside. */
  async loss(hidden: Floats, labels: Tensor<'int64'>, wanted: Wanted): Promise<HeadLoss> {
    const { results, backward } = await this.#program(wanted.labelSmoothing).run({ hidden, labels }, wanted)
    return {
      value: (results.loss as Floats).data[0]!,
      logits: results.logits as Floats,
      backward: scale => backward(lossGradient(scale))
    }
  }

  /** Without `modules` all its tensors are the model's own, which no adapter trains. */
  copy(modules: readonly string[]): LanguageHead {
    if (modules.length === 0) return this
    const checkpoint = this.#checkpoint
    const own = ownModules(checkpoint, this.#programs.parameters, modules)
    const threads = this.#programs.threads
    const before = new Programs(own.before, { threads })
    const weight = own.before.get(checkpoint.family.clientTensorNames(checkpoint.config).embedding)!
    const embeddings = new Embeddings({ checkpoint, weight, programs: before })
    return new LanguageHead(
      { checkpoint, programs: new Programs(own.after, { threads }) },
      { parameters: own.parameters, embeddings, close: () => before.close() }
    )
  }

  async close(): Promise<void> {
    if (this.#own === null) return
    await Promise.all([this.#own.close(), this.#programs.close()])
  }

  #program(labelSmoothing = 0): HeadProgram {
    const { family, config } = this.#checkpoint
    const build = () => family.headLoss(config, { trainable: true, labelSmoothing })
    return new HeadProgram({ programs: this.#programs }, { build, output: 'loss' })
  }
}
