// No head but the final norm: hidden states as in a base model.
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { stackNamed } from '../../model/config/config.ts'
import type { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import type { LocalPrograms } from '../local/programs.ts'
import type { ModulesToSave } from './modules-to-save.ts'
import { type HeadPass, HeadProgram, type TaskHead, type Wanted } from './program.ts'
import { type TrainedModules, trainedModules } from './trained-modules.ts'

interface Components {
  readonly checkpoint: Checkpoint
  readonly programs: LocalPrograms
}

export class FeatureHead implements TaskHead<FeatureHead> {
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings | null
  readonly #components: Components
  readonly #own: TrainedModules | null
  readonly #program: HeadProgram

  constructor(components: Components, own: TrainedModules | null = null) {
    this.parameters = own?.parameters ?? []
    this.embeddings = own?.embeddings ?? null
    this.#components = components
    this.#own = own
    const { family, config } = components.checkpoint
    // of an encoder and a decoder, the encoder's, as T5EncoderModel gives them
    const hasTwo = stackNamed(config, 'encoder') !== undefined && stackNamed(config, 'decoder') !== undefined
    const stack = hasTwo ? ('encoder' as const) : undefined
    const build = () => family.features(config, { trainable: true, stack })
    const programs = own?.programs ?? components.programs
    this.#program = new HeadProgram({ programs }, { build, output: 'states' })
  }

  /** Whether any tensor of the norm requires a gradient. */
  get requiresGrad(): boolean {
    return this.#program.requiresGrad
  }

  /** Hidden states [batch, seq, hidden] -> `states` [batch, seq, width], and the way back from their gradient. */
  run(hidden: Float32Tensor, wanted: Wanted): Promise<HeadPass> {
    return this.#program.run({ hidden }, wanted)
  }

  /** Where nothing is chosen all its tensors are the model's own, which no adapter trains. */
  copy(chosen: ModulesToSave): FeatureHead {
    const own = trainedModules(this.#components, chosen, 'FEATURE_EXTRACTION')
    return own === null ? this : new FeatureHead(this.#components, own)
  }

  async close(): Promise<void> {
    await this.#own?.close()
  }
}
