// Small networks on the client that encode trained vectors, as graphs differentiated by graph/. Knows no method.
import { SwarmError } from '../../common/errors.ts'
import type { Random } from '../../common/random.ts'
import { type DataOf, type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import { recompute } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import { LocalPrograms } from '../local/programs.ts'
import type { TuningMethod, TuningPass, TuningPassOptions } from './method.ts'

/** Vectors that have been computed, and the way back to the parameters. */
export interface Encoded {
  readonly values: Float32Tensor
  /** Adds the gradients of the parameters that require one. */
  backward(gradient: Float32Tensor): Promise<void>
}

/** Runs a graph whose inputs are parameters by their names (and masks), with one output, `encoded`. */
export class Encoder {
  readonly #graph: Graph
  readonly #programs: LocalPrograms

  constructor(graph: Graph, parameters: readonly Parameter[]) {
    this.#graph = graph
    // sizes are small: one thread
    this.#programs = new LocalPrograms(new Map(parameters.map(each => [each.name, each])), { threads: 1 })
  }

  async close(): Promise<void> {
    await this.#programs.close()
  }

  /** What comes for one row only is for every row: its first axis is left out. */
  async encode(masks: Readonly<Record<string, Float32Tensor>> = {}): Promise<Encoded> {
    const session = await this.#programs.compile('forward', () => this.#graph)
    const { encoded } = (await this.#programs.run(session, masks)) as { encoded: Float32Tensor }
    const { shape, data } = encoded
    return {
      values: shape.length === 3 && shape[0] === 1 ? tensor('float32', shape.slice(1), data) : encoded,
      backward: async ({ data: gradient }) => {
        const wanted = this.#programs.trainedInputs(this.#graph)
        if (wanted.length === 0) return
        const session = await this.#programs.compile(`backward ${wanted.join()}`, () =>
          recompute(differentiate(this.#graph, { wanted }))
        )
        this.#programs.accumulate(
          await this.#programs.run(session, {
            ...masks,
            'grad.encoded': tensor('float32', shape, gradient)
          })
        )
      }
    }
  }
}

/** x [n, in] through torch's Linear, weight [out, in] and bias [out]; they become inputs `<name>.weight`, `<name>.bias`. */
export function encoderLinear(
  g: GraphBuilder,
  x: Value,
  name: string,
  [outputs, inputs]: readonly [number, number]
): Value {
  const weight = g.input(`${name}.weight`, 'float32', [outputs, inputs])
  const bias = g.input(`${name}.bias`, 'float32', [outputs])
  return g.Add(g.FusedMatMul(x, weight, { transB: true }), bias)
}

/** Uniform within `bound` of zero, as torch begins its Linear (1 / sqrt(inputs)) and LSTM (1 / sqrt(hidden)). */
export function uniformParameter(name: string, shape: readonly number[], bound: number, random: Random): Parameter {
  const made = parameter(name, shape)
  for (let index = 0; index < made.data.length; index++) made.data[index] = (2 * random.uniform() - 1) * bound
  return made
}

/** Weight and bias of a Linear. */
export function linearParameters(name: string, [outputs, inputs]: readonly [number, number], random: Random) {
  const bound = 1 / Math.sqrt(inputs)
  return [
    uniformParameter(`${name}.weight`, [outputs, inputs], bound, random),
    uniformParameter(`${name}.bias`, [outputs], bound, random)
  ]
}

/** Standard normal, as torch begins its Embedding. */
export function normalValues(size: number, random: Random): DataOf<'float32'> {
  return Float32Array.from({ length: size }, () => random.normal())
}

/** How a method uses the vectors, and takes their gradient. */
export type PassOver = (
  values: Float32Tensor,
  accumulate: (gradient: Float32Tensor) => void
) => Omit<TuningPass, 'finish'>

/**
 * The parts of a method whose vectors an encoder makes anew for every pass; only the vectors, `prompt_embeddings`, are
 * saved. `masksOf` gives the masks of a pass' dropout.
 */
export function encodedBy(
  encoder: Encoder,
  passOver: PassOver,
  masksOf: (options: TuningPassOptions) => Readonly<Record<string, Float32Tensor>> = () => ({})
): TuningPass & Required<Pick<TuningMethod, 'begin' | 'saved' | 'close'>> {
  const notBegun = (): never => {
    throw new SwarmError('INTERNAL', 'a method with an encoder works only in passes that it starts')
  }
  const begin = async (options: TuningPassOptions): Promise<TuningPass> => {
    const { values, backward } = await encoder.encode(masksOf(options))
    let sum: Float32Tensor | null = null
    const accumulate = ({ shape, data }: Float32Tensor): void => {
      sum ??= tensor('float32', shape)
      for (let index = 0; index < data.length; index++) sum.data[index]! += data[index]!
    }
    return {
      ...passOver(values, accumulate),
      async finish() {
        if (sum !== null) await backward(sum)
      }
    }
  }
  return {
    ports: notBegun,
    promptEmbeddings: notBegun,
    accumulatePorts: notBegun,
    accumulatePrompt: notBegun,
    begin,
    close: () => encoder.close(),
    async saved() {
      const { values } = await encoder.encode(masksOf({ training: false, seed: 0 }))
      return { prompt_embeddings: values }
    }
  }
}
