// No head but the final norm: hidden states as a base model gives them.
import type { Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint.ts'
import type { Parameter } from '../parameter.ts'
import type { Programs } from '../programs.ts'
import { type HeadPass, HeadProgram, refuseModules, type TaskHead, type Wanted } from './program.ts'

export class FeatureHead implements TaskHead<FeatureHead> {
  readonly parameters: readonly Parameter[] = []
  readonly #program: HeadProgram

  constructor({ checkpoint, programs }: { checkpoint: Checkpoint; programs: Programs }) {
    const { family, config } = checkpoint
    const build = () => family.features(config, { trainable: true })
    this.#program = new HeadProgram({ programs }, { build, output: 'states' })
  }

  /** Whether any tensor of the norm requires a gradient. */
  get requiresGrad(): boolean {
    return this.#program.requiresGrad
  }

  /** Hidden states [batch, seq, hidden] -> `states` [batch, seq, width], and the way back from their gradient. */
  run(hidden: Tensor<'float32'>, wanted: Wanted): Promise<HeadPass> {
    return this.#program.run({ hidden }, wanted)
  }

  /** All its tensors are the model's own, which no adapter trains. */
  copy(modules: readonly string[]): FeatureHead {
    refuseModules(modules)
    return this
  }

  async close(): Promise<void> {}
}
