// The head of a language model: final norm, scores of the vocabulary and loss, as graphs over the model's own tensors.
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import type { Session } from '../../runtime/session.ts'
import type { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import type { LocalPrograms } from '../local/programs.ts'
import { FeatureHead } from './features.ts'
import type { ModulesToSave } from './modules-to-save.ts'
import { type HeadLoss, HeadProgram, lossGradient, type TaskHead, type Wanted } from './program.ts'
import { type TrainedModules, trainedModules } from './trained-modules.ts'

export class LanguageHead implements TaskHead<LanguageHead> {
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings | null
  readonly #own: TrainedModules | null
  readonly #checkpoint: Checkpoint
  readonly #programs: LocalPrograms

  constructor(components: { checkpoint: Checkpoint; programs: LocalPrograms }, own: TrainedModules | null = null) {
    this.parameters = own?.parameters ?? []
    this.embeddings = own?.embeddings ?? null
    this.#own = own
    this.#checkpoint = components.checkpoint
    this.#programs = own?.programs ?? components.programs
  }

  /** Whether any tensor of norm or head requires a gradient. */
  get requiresGrad(): boolean {
    return this.#program().requiresGrad
  }

  /** Hidden states [batch, seq, hidden] -> logits [batch, seq, vocab]. */
  async logits(hidden: Float32Tensor): Promise<Float32Tensor> {
    const { logits } = await this.#programs.run(await this.prepare(), { hidden })
    return logits as Float32Tensor
  }

  /** The final norm alone, over the same tensors: hidden states as a base model gives them. */
  features(): FeatureHead {
    return new FeatureHead({ checkpoint: this.#checkpoint, programs: this.#programs })
  }

  /** Compiles what `logits` runs, where that was not done before. Throws what compiling throws. */
  async prepare(): Promise<Session> {
    const { family, config } = this.#checkpoint
    return await this.#programs.compile('logits', () => family.head(config, { trainable: true }))
  }

  /** Loss of hidden states [batch, seq, hidden] against labels [batch, seq]; labels are shifted inside. */
  async loss(hidden: Float32Tensor, labels: Tensor<'int64'>, wanted: Wanted): Promise<HeadLoss> {
    const { results, backward } = await this.#program(wanted.labelSmoothing).run({ hidden, labels }, wanted)
    return {
      value: (results.loss as Float32Tensor).data[0]!,
      logits: results.logits as Float32Tensor,
      backward: scale => backward(lossGradient(scale))
    }
  }

  /** Where nothing is chosen all its tensors are the model's own, which no adapter trains. */
  copy(chosen: ModulesToSave): LanguageHead {
    const components = { checkpoint: this.#checkpoint, programs: this.#programs }
    const own = trainedModules(components, chosen, 'CAUSAL_LM')
    return own === null ? this : new LanguageHead(components, own)
  }

  async close(): Promise<void> {
    await this.#own?.close()
  }

  #program(labelSmoothing = 0): HeadProgram {
    const { family, config } = this.#checkpoint
    const build = () => family.headLoss(config, { trainable: true, labelSmoothing })
    return new HeadProgram({ programs: this.#programs }, { build, output: 'loss' })
  }
}
