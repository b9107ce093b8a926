// What follows the last block, on the client: final norm, head and loss, as graphs over the model's own tensors.
import { type Tensor, tensor } from '../common/tensor.ts'
import { cut } from '../graph/cut.ts'
import { differentiate } from '../graph/gradient.ts'
import type { Graph } from '../graph/graph.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { createSession, type Session } from '../runtime/session.ts'
import { addGradient, type Parameter } from './parameter.ts'

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
  /** the model's tensors outside its blocks, by name; the graphs take those they use */
  readonly #parameters: ReadonlyMap<string, Parameter>
  readonly #threads: number | undefined
  readonly #sessions = new Map<string, Promise<Session>>()

  constructor(
    components: { checkpoint: Checkpoint; parameters: ReadonlyMap<string, Parameter> },
    options: { threads?: number } = {}
  ) {
    this.#checkpoint = components.checkpoint
    this.#parameters = components.parameters
    this.#threads = options.threads
  }

  /** Whether any tensor of norm or head requires a gradient. */
  get requiresGrad(): boolean {
    const { family, config } = this.#checkpoint
    return this.#usedBy(family.head(config, { trainable: true })).some(({ requiresGrad }) => requiresGrad)
  }

  /** Hidden states [batch, seq, hidden] -> logits [batch, seq, vocab]. */
  async logits(hidden: Floats): Promise<Floats> {
    const { family, config } = this.#checkpoint
    const session = await this.#session('logits', () => family.head(config, { trainable: true }))
    const { logits } = await session.run({ hidden, ...this.#feedsOf(session.graph) })
    return logits as Floats
  }

  /** Loss of hidden states [batch, seq, hidden] against labels [batch, seq]; labels are shifted inside. */
  async loss(hidden: Floats, labels: Tensor<'int64'>, wanted: Wanted): Promise<HeadLoss> {
    const programs = await this.#lossPrograms(wanted)
    const feeds = { hidden, labels, ...this.#feedsOf(programs.forward.graph) }
    const results = await programs.forward.run(feeds)
    return {
      value: (results.loss as Floats).data[0]!,
      logits: results.logits as Floats,
      backward: scale => this.#backward(programs.backward, { hidden, labels, ...results }, scale)
    }
  }

  async close(): Promise<void> {
    const sessions = await Promise.allSettled(this.#sessions.values())
    this.#sessions.clear()
    await Promise.all(sessions.map(result => (result.status === 'fulfilled' ? result.value.release() : undefined)))
  }

  async #backward(session: Session | null, known: Record<string, Tensor>, scale: number): Promise<Floats | null> {
    if (session === null) return null
    const feeds: Record<string, Tensor> = {
      ...known,
      ...this.#feedsOf(session.graph),
      'grad.loss': tensor('float32', [], Float32Array.of(scale))
    }
    const needed = session.graph.inputs.map(({ name }) => [name, feeds[name]!] as const)
    const gradients = (await session.run(Object.fromEntries(needed))) as Record<string, Floats>
    for (const parameter of this.#parameters.values()) {
      const gradient = gradients[`grad.${parameter.name}`]
      if (gradient !== undefined) addGradient(parameter, gradient.data)
    }
    return gradients['grad.hidden'] ?? null
  }

  #usedBy(graph: Graph): Parameter[] {
    return graph.inputs.flatMap(({ name }) => this.#parameters.get(name) ?? [])
  }

  #feedsOf(graph: Graph): Record<string, Floats> {
    return Object.fromEntries(
      this.#usedBy(graph).map(({ name, shape, data }) => [name, tensor('float32', shape, data)])
    )
  }

  async #lossPrograms({ hidden, parameters }: Wanted): Promise<LossPrograms> {
    const { family, config } = this.#checkpoint
    const graph = family.headLoss(config, { trainable: true })
    const trained = parameters ? this.#usedBy(graph).filter(({ requiresGrad }) => requiresGrad) : []
    const wanted = [...(hidden ? ['hidden'] : []), ...trained.map(({ name }) => name)]
    if (wanted.length === 0) return { forward: await this.#session('loss', () => graph), backward: null }
    let halves: ReturnType<typeof cut> | undefined
    const half = (name: 'forward' | 'backward') => () => {
      halves ??= cut(differentiate(graph, { wanted, outputs: ['loss'] }))
      return halves[name]
    }
    const key = wanted.join()
    return {
      forward: await this.#session(`forward ${key}`, half('forward')),
      backward: await this.#session(`backward ${key}`, half('backward'))
    }
  }

  /** Compiles each graph once. The weights are fed, not bound: whoever trains them changes them in place. */
  #session(key: string, build: () => Graph): Promise<Session> {
    let session = this.#sessions.get(key)
    if (session === undefined) {
      session = createSession(build(), { threads: this.#threads })
      session.catch(() => this.#sessions.delete(key))
      this.#sessions.set(key, session)
    }
    return session
  }
}
