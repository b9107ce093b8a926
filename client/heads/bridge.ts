// What comes between an encoder and a decoder: the encoder's last norm, and the embeddings of tokens that enter the decoder.
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { Embeddings } from '../local/embeddings.ts'
import type { LocalPrograms } from '../local/programs.ts'
import { type HeadPass, HeadProgram, type Wanted } from './program.ts'
import type { TrainedModules } from './trained-modules.ts'

export interface BridgeComponents {
  readonly checkpoint: Checkpoint
  readonly programs: LocalPrograms
  /** of tokens that enter the encoder */
  readonly embeddings: Embeddings
}

export class StackBridge {
  /** of tokens that enter the decoder; over the encoder's matrix */
  readonly embeddings: Embeddings
  readonly #norm: HeadProgram

  /** @param own what an adapter trains of the model's own tensors */
  constructor(components: BridgeComponents, own: TrainedModules | null = null) {
    const { checkpoint, embeddings } = components
    const { family, config } = checkpoint
    this.embeddings =
      own?.decoderEmbeddings() ?? new Embeddings({ ...components, weight: embeddings.weight }, { stack: 'decoder' })
    const build = () => family.features(config, { trainable: true, stack: 'encoder' })
    this.#norm = new HeadProgram({ programs: own?.programs ?? components.programs }, { build, output: 'states' })
  }

  /** Whether any tensor of the encoder's last norm requires a gradient. */
  get requiresGrad(): boolean {
    return this.#norm.requiresGrad
  }

  /** What leaves the encoder [batch, source, hidden] -> `states` of the same shape, which the decoder attends to, and the way back. */
  leaveEncoder(hidden: Float32Tensor, wanted: Wanted): Promise<HeadPass> {
    return this.#norm.run({ hidden }, wanted)
  }
}
