// What follows the last block, on the client: final norm, head and loss, as graphs over the model's own tensors.
import { type Tensor, tensor } from '../common/tensor.ts'
import { cut } from '../graph/cut.ts'
import { differentiate } from '../graph/gradient.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Session } from '../runtime/session.ts'
import type { Programs } from './programs.ts'

type Floats = Tensor<'float32'>

export interface HeadLoss {
  /** mean over the labels that count */
  readonly value: number
  /** [batch, seq, vocab] */
  readonly logits: Floats
  /**
   * The gradient of `scale` times the loss: adds that of norm and head where they require one, returns that of the
   * hidden states, [batch, seq, hidden]; null where it was not asked for.
   */
  backward(scale: number): Promise<Floats | null>
}

/** What a backward pass through the head has to give. */
export interface Wanted {
  readonly hidden: boolean
  readonly parameters: boolean
}

interface LossPrograms {
  readonly forward: Session
  /** null where nothing is wanted */
  readonly backward: Session | null
}

export class LanguageHead {
  readonly #checkpoint: Checkpoint
  readonly #programs: Programs

  constructor(components: { checkpoint: Checkpoint; programs: Programs }) {
    this.#checkpoint = components.checkpoint
    this.#programs = components.programs
  }

  /** Whether any tensor of norm or head requires a gradient. */
  get requiresGrad(): boolean {
    const { family, config } = this.#checkpoint
    return this.#programs.usedBy(family.head(config, { trainable: true })).some(({ requiresGrad }) => requiresGrad)
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
    const { forward, backward } = await this.#lossPrograms(wanted)
    const results = await this.#programs.run(forward, { hidden, labels })
    return {
      value: (results.loss as Floats).data[0]!,
      logits: results.logits as Floats,
      backward: async scale => {
        if (backward === null) return null
        const start = { 'grad.loss': tensor('float32', [], Float32Array.of(scale)) }
        const gradients = await this.#programs.run(backward, { hidden, labels, ...results, ...start })
        this.#programs.accumulate(gradients)
        return (gradients['grad.hidden'] as Floats | undefined) ?? null
      }
    }
  }

  async #lossPrograms({ hidden, parameters }: Wanted): Promise<LossPrograms> {
    const { family, config } = this.#checkpoint
    const graph = family.headLoss(config, { trainable: true })
    const trained = parameters ? this.#programs.usedBy(graph).filter(({ requiresGrad }) => requiresGrad) : []
    const wanted = [...(hidden ? ['hidden'] : []), ...trained.map(({ name }) => name)]
    if (wanted.length === 0) return { forward: await this.#programs.compile('loss', () => graph), backward: null }
    let halves: ReturnType<typeof cut> | undefined
    const half = (name: 'forward' | 'backward') => () => {
      halves ??= cut(differentiate(graph, { wanted, outputs: ['loss'] }))
      return halves[name]
    }
    const key = wanted.join()
    return {
      forward: await this.#programs.compile(`loss forward ${key}`, half('forward')),
      backward: await this.#programs.compile(`loss backward ${key}`, half('backward'))
    }
  }
}
