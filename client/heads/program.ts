// The interface of a task's head, and a graph over the last hidden states with its backward pass, compiled once each.
// Knows no task.
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import { cut } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph } from '../../graph/graph.ts'
import type { Session } from '../../runtime/session.ts'
import type { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import type { LocalPrograms } from '../local/programs.ts'
import type { ModulesToSave } from './modules-to-save.ts'

/** What follows the last block for one task. */
export interface TaskHead<Self> {
  /** trained beside an adapter and saved with it; what the model's own tensors are is not among them */
  readonly parameters: readonly Parameter[]
  /** the embeddings that belong to the parameters; null where they are the model's */
  readonly embeddings: Embeddings | null
  /**
   * The same head with parameters of its own, for an adapter to train, and with copies of what it trains of the model's own
   * tensors. Throws INVALID_ARGUMENT for modules that there are not.
   */
  copy(chosen: ModulesToSave): Self
  /** modules of its own that are saved beside those that PEFT saves for the task, by the end of their path; default none */
  readonly savedModules?: readonly string[]
  /** Whether a name of PEFT's modules_to_save means modules of the head. Default: none does. */
  hasModule?(name: string): boolean
  close(): Promise<void>
}

export interface HeadGradients {
  /** of the hidden states, [batch, seq, hidden]; null where it was not asked for */
  readonly hidden: Float32Tensor | null
  /** Adds those of norm and head where they require one. */
  add(): void
}

export interface HeadLoss {
  /** mean over the labels that count */
  readonly value: number
  /** [batch, seq, classes] */
  readonly logits: Float32Tensor
  /** The gradients of `scale` times the loss. */
  backward(scale: number): Promise<HeadGradients>
}

/** What a backward pass through the head has to give. */
export interface Wanted {
  /** the gradient of the hidden states */
  readonly hidden: boolean
  /** those of norm and head, where they require one */
  readonly parameters: boolean
  /** of the loss: share of the target that is spread over all classes; default 0 */
  readonly labelSmoothing?: number
}

export interface HeadPass {
  /** the graph's outputs by name */
  readonly results: Readonly<Record<string, Tensor>>
  /** From the gradient of the output that the program was told. */
  backward(gradient: Float32Tensor): Promise<HeadGradients>
}

interface Halves {
  readonly forward: Session
  /** null where nothing is wanted */
  readonly backward: Session | null
}

export class HeadProgram {
  readonly #programs: LocalPrograms
  readonly #build: () => Graph
  readonly #output: string

  /** `build` gives a graph with an input `hidden`; its name tells it from other heads' over the same programs */
  constructor(components: { programs: LocalPrograms }, init: { build: () => Graph; output: string }) {
    this.#programs = components.programs
    this.#build = init.build
    this.#output = init.output
  }

  /** The graph, built anew. */
  get graph(): Graph {
    return this.#build()
  }

  /** Whether any tensor of the graph requires a gradient. */
  get requiresGrad(): boolean {
    return this.#programs.usedBy(this.#build()).some(({ requiresGrad }) => requiresGrad)
  }

  /** `known`: the graph's inputs but for the parameters. */
  async run(known: Readonly<Record<string, Tensor>>, wanted: Wanted): Promise<HeadPass> {
    const { forward, backward } = await this.#compile(wanted)
    const results = await this.#programs.run(forward, known)
    return {
      results,
      backward: async gradient => {
        if (backward === null) return { hidden: null, add: () => {} }
        const given = { ...known, ...results, [`grad.${this.#output}`]: gradient }
        const gradients = await this.#programs.run(backward, given)
        const hidden = (gradients['grad.hidden'] as Float32Tensor | undefined) ?? null
        return { hidden, add: () => this.#programs.accumulate(gradients) }
      }
    }
  }

  async #compile({ hidden, parameters }: Wanted): Promise<Halves> {
    const graph = this.#build()
    const trained = parameters ? this.#programs.trainedInputs(graph) : []
    const wanted = [...(hidden ? ['hidden'] : []), ...trained]
    if (wanted.length === 0) return { forward: await this.#programs.compile(graph.name, () => graph), backward: null }
    let halves: ReturnType<typeof cut> | undefined
    const half = (name: 'forward' | 'backward') => () => {
      halves ??= cut(differentiate(graph, { wanted, outputs: [this.#output] }))
      return halves[name]
    }
    const key = wanted.join()
    return {
      forward: await this.#programs.compile(`${graph.name} forward ${key}`, half('forward')),
      backward: await this.#programs.compile(`${graph.name} backward ${key}`, half('backward'))
    }
  }
}

/** What every gradient of a loss starts from: `scale` times its own. */
export function lossGradient(scale: number): Float32Tensor {
  return { dtype: 'float32', shape: [], data: Float32Array.of(scale) }
}
