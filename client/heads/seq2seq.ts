// The head of an encoder-decoder model: what comes between the stacks and after them, over the model's own tensors.
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import type { Session } from '../../runtime/session.ts'
import type { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import { type BridgeComponents, StackBridge } from './bridge.ts'
import { LanguageHead } from './language.ts'
import type { ModulesToSave } from './modules-to-save.ts'
import type { HeadLoss, TaskHead, Wanted } from './program.ts'
import { type TrainedModules, trainedModules } from './trained-modules.ts'

export class Seq2SeqHead implements TaskHead<Seq2SeqHead> {
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings | null
  readonly bridge: StackBridge
  readonly #components: BridgeComponents
  readonly #own: TrainedModules | null
  readonly #language: LanguageHead

  constructor(components: BridgeComponents, own: TrainedModules | null = null) {
    const { checkpoint } = components
    const programs = own?.programs ?? components.programs
    this.parameters = own?.parameters ?? []
    this.embeddings = own?.embeddings ?? null
    this.bridge = new StackBridge(components, own)
    this.#components = components
    this.#own = own
    this.#language = new LanguageHead({ checkpoint, programs })
  }

  /** Whether any tensor of the decoder's last norm or of the scores requires a gradient. */
  get requiresGrad(): boolean {
    return this.#language.requiresGrad
  }

  /** What leaves the decoder [batch, seq, hidden] -> logits [batch, seq, vocab]. */
  logits(hidden: Float32Tensor): Promise<Float32Tensor> {
    return this.#language.logits(hidden)
  }

  /** Compiles what `logits` runs, where that was not done before. Throws what compiling throws. */
  prepare(): Promise<Session> {
    return this.#language.prepare()
  }

  /** Loss of the decoder's states [batch, seq, hidden] against labels [batch, seq], which are shifted inside as `LanguageHead` does. */
  loss(hidden: Float32Tensor, labels: Tensor<'int64'>, wanted: Wanted): Promise<HeadLoss> {
    return this.#language.loss(hidden, labels, wanted)
  }

  /** Where nothing is chosen all its tensors are the model's own, which no adapter trains. */
  copy(chosen: ModulesToSave): Seq2SeqHead {
    const own = trainedModules(this.#components, chosen, 'SEQ_2_SEQ_LM')
    return own === null ? this : new Seq2SeqHead(this.#components, own)
  }

  async close(): Promise<void> {
    await this.#own?.close()
  }
}
