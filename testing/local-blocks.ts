// The blocks of a model in this process: what a chain of servers computes, from the same graphs without a network.
import type { ForwardPass, RemoteBlocks, RemoteForwardOptions } from '../client/remote/chain.ts'
import type { BlockRange } from '../common/range.ts'
import { type Float32Tensor, float32, int64, type Tensor } from '../common/tensor.ts'
import { cut } from '../graph/cut.ts'
import { differentiate } from '../graph/gradient.ts'
import type { Graph } from '../graph/graph.ts'
import type { Checkpoint } from '../model/checkpoint/checkpoint.ts'
import { isTrained } from '../model/layers/ports.ts'
import { blockWeights } from '../model/weights/block-weights.ts'
import { createSession, type Session } from '../runtime/session.ts'

/** Of a set of tensors those that a graph takes in. */
export function feedsOf(graph: Graph, tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(graph.inputs.map(({ name }) => [name, tensors[name]!]))
}

interface SpanSessions extends AsyncDisposable {
  readonly forward: Session
  readonly backward: Session
}

/** A graph cut into a forward that keeps residuals, and the backward from them. */
export async function createTrainingSessions(
  graph: Graph,
  wanted: readonly string[],
  weights?: { folder: string; locate: (name: string) => { location: string; offset: number; length: number } }
): Promise<SpanSessions> {
  const { forward, backward } = cut(differentiate(graph, { wanted, outputs: [graph.outputs[0]!.name] }))
  const init = { folder: weights?.folder, weights: weights?.locate, threads: 1, inline: true } as const
  const sessions = [await createSession(forward, init), await createSession(backward, init)] as const
  return {
    forward: sessions[0],
    backward: sessions[1],
    async [Symbol.asyncDispose]() {
      for (const session of sessions) await session.release()
    }
  }
}

export interface LocalInit {
  /** blocks that are computed together; default all */
  readonly spanLength?: number
  /** where weights that are not float32 are converted to */
  readonly cacheDir?: string
}

/** Forward and backward passes through all blocks of a checkpoint. No dropout. */
export class LocalBlocks implements Pick<RemoteBlocks, 'forward'>, AsyncDisposable {
  readonly #checkpoint: Checkpoint
  readonly #spans: readonly BlockRange[]
  readonly #cacheDir: string | undefined
  readonly #sessions = new Map<string, SpanSessions>()

  constructor(checkpoint: Checkpoint, { spanLength = checkpoint.config.numBlocks, cacheDir }: LocalInit = {}) {
    const { numBlocks } = checkpoint.config
    this.#checkpoint = checkpoint
    this.#cacheDir = cacheDir
    this.#spans = Array.from({ length: Math.ceil(numBlocks / spanLength) }, (_, index) => ({
      first: index * spanLength,
      end: Math.min(numBlocks, (index + 1) * spanLength)
    }))
  }

  async forward(hidden: Float32Tensor, { mask, ports = {} }: RemoteForwardOptions = {}): Promise<ForwardPass> {
    const { config, family } = this.#checkpoint
    const [batch, seq] = hidden.shape as [number, number]
    // positions begin after trained keys and values, as in PEFT
    const before = Object.entries(ports).find(([name]) => name.includes('.prefix.'))?.[1].shape[0] ?? 0
    const tables = Object.entries(family.rotaryTables(config, before + seq)).map(([name, { shape, data }]) => [
      name,
      float32([seq, shape[1]!], data.subarray(before * shape[1]!))
    ])
    const given = {
      mask: mask ?? int64([batch, seq], Array<number>(batch * seq).fill(1)),
      ...(Object.fromEntries(tables) as Record<string, Tensor>)
    }
    const passes: { span: SpanSessions; own: Record<string, Tensor>; results: Record<string, Tensor> }[] = []
    let current = hidden
    for (const range of this.#spans) {
      const own = Object.fromEntries(
        Object.entries(ports).filter(([name]) => {
          const block = Number(name.split('.')[1])
          return range.first <= block && block < range.end
        })
      )
      const span = await this.#sessionsOf(range, Object.keys(own))
      const feeds = { ...given, ...own, hidden: current }
      const results = await span.forward.run(feedsOf(span.forward.graph, feeds))
      passes.push({ span, own, results: { ...feeds, ...results } })
      current = results.hidden_out as Float32Tensor
    }
    return {
      hidden: current,
      async backward(gradient) {
        const gradients: Record<string, Float32Tensor> = {}
        let received = gradient
        for (const { span, own, results } of passes.toReversed()) {
          const feeds = { ...results, 'grad.hidden_out': received }
          const found = await span.backward.run(feedsOf(span.backward.graph, feeds))
          for (const name of Object.keys(own).filter(isTrained))
            gradients[name] = found[`grad.${name}`] as Float32Tensor
          received = found['grad.hidden'] as Float32Tensor
        }
        return { hidden: received, ports: gradients }
      }
    }
  }

  async #sessionsOf(range: BlockRange, ports: readonly string[]): Promise<SpanSessions> {
    const key = [range.first, range.end, ...ports].join(' ')
    const known = this.#sessions.get(key)
    if (known !== undefined) return known
    const { config, family } = this.#checkpoint
    const graph = family.forwardSpan(config, { blocks: range, ports })
    const weights = await blockWeights(this.#checkpoint, range, { cacheDir: this.#cacheDir })
    const sessions = await createTrainingSessions(graph, ['hidden', ...ports.filter(isTrained)], weights)
    this.#sessions.set(key, sessions)
    return sessions
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sessions of this.#sessions.values()) await sessions[Symbol.asyncDispose]()
    this.#sessions.clear()
  }
}
