// Graphs that the client runs over the tensors it holds itself, compiled once each. Knows no particular graph.
import { SwarmError } from '../../common/errors.ts'
import { type Tensor, tensor } from '../../common/tensor.ts'
import type { Graph } from '../../graph/graph.ts'
import { createSession, type Session } from '../../runtime/session.ts'
import { ChangedWeight } from './changed-weight.ts'
import { addGradient, type Parameter } from './parameter.ts'

/** The tensors are fed by their names, not bound: training changes them in place. */
export class LocalPrograms {
  /** by the names of graphs' inputs */
  readonly parameters: ReadonlyMap<string, Parameter>
  readonly threads: number | undefined
  readonly #sessions = new Map<string, Promise<Session>>()
  #closed = false

  constructor(parameters: ReadonlyMap<string, Parameter>, options: { threads?: number } = {}) {
    this.parameters = parameters
    this.threads = options.threads
  }

  /** The parameters among the graph's inputs. */
  usedBy(graph: Graph): readonly Parameter[] {
    return graph.inputs.flatMap(({ name }) => this.parameters.get(name) ?? [])
  }

  /** Names of the graph's inputs that are parameters which require a gradient. */
  trainedInputs(graph: Graph): string[] {
    return graph.inputs.flatMap(({ name }) => (this.parameters.get(name)?.requiresGrad ? name : []))
  }

  /** The graph under this key, built and compiled when it is first asked for. Throws ABORTED once closed. */
  async compile(key: string, build: () => Graph): Promise<Session> {
    if (this.#closed) throw new SwarmError('ABORTED', 'the model is closed')
    let session = this.#sessions.get(key)
    if (session === undefined) {
      session = createSession(build(), { threads: this.threads })
      session.catch(() => this.#sessions.delete(key))
      this.#sessions.set(key, session)
    }
    return await session
  }

  /** Runs with the parameters and, of `known`, what the graph takes. */
  async run(session: Session, known: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const feeds = session.graph.inputs.map(({ name }) => {
      const parameter = this.parameters.get(name)
      return [name, parameter ? tensor('float32', parameter.shape, parameter.data) : known[name]!] as const
    })
    return await session.run(Object.fromEntries(feeds))
  }

  /** Adds every `grad.<input>` among the results to its parameter, or to those that the parameter is computed from. */
  accumulate(results: Readonly<Record<string, Tensor>>): void {
    for (const [input, parameter] of this.parameters) {
      const gradient = results[`grad.${input}`]
      if (gradient === undefined) continue
      const values = gradient.data as Float32Array
      if (parameter instanceof ChangedWeight) parameter.passOn(values)
      else addGradient(parameter, values)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const sessions = await Promise.allSettled(this.#sessions.values())
    this.#sessions.clear()
    await Promise.all(sessions.map(result => (result.status === 'fulfilled' ? result.value.release() : undefined)))
  }
}
