// A bidirectional LSTM (Hochreiter and Schmidhuber 1997) with torch's names and gates (torch.nn.LSTM), unrolled over its
// few steps into a graph that graph/ differentiates.
import type { Random } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import type { GraphBuilder } from '../../../graph/builder.ts'
import type { Value } from '../../../graph/graph.ts'
import type { Parameter } from '../../local/parameter.ts'
import { uniformParameter } from '../encoder.ts'

export interface LstmSizes {
  readonly steps: number
  readonly inputs: number
  readonly hidden: number
  readonly layers: number
}

const directions = ['', '_reverse'] as const

/** The input of a layer that drops what comes from the layer before: [steps, rows, 2 * hidden], 0 or 1 / (1 - p). */
export const maskName = (layer: number): string => `mask.${layer}`

interface Weights {
  readonly name: string
  readonly shape: readonly number[]
}

/** Weights of one layer and direction: of the input, of the state, and their biases; gates i, f, g, o below each other. */
function weightsOf({ inputs, hidden }: LstmSizes, layer: number, direction: string): readonly Weights[] {
  const width = layer === 0 ? inputs : 2 * hidden
  const shapes = {
    weight_ih: [4 * hidden, width],
    weight_hh: [4 * hidden, hidden],
    bias_ih: [4 * hidden],
    bias_hh: [4 * hidden]
  }
  return Object.entries(shapes).map(([kind, shape]) => ({ name: `lstm_head.${kind}_l${layer}${direction}`, shape }))
}

export function lstmParameters(sizes: LstmSizes, random: Random): Parameter[] {
  const bound = 1 / Math.sqrt(sizes.hidden)
  return Array.from({ length: sizes.layers }, (_, layer) =>
    directions.flatMap(direction =>
      weightsOf(sizes, layer, direction).map(({ name, shape }) => uniformParameter(name, shape, bound, random))
    )
  ).flat()
}

/** One layer in one direction: x [steps, rows, width] to [steps, rows, hidden]. */
function direct(g: GraphBuilder, x: Value, sizes: LstmSizes, layer: number, direction: string): Value {
  const { steps, hidden } = sizes
  const [weightInput, weightState, biasInput, biasState] = weightsOf(sizes, layer, direction).map(({ name, shape }) =>
    g.input(name, 'float32', shape)
  ) as [Value, Value, Value, Value]
  const fromInput = g.Add(g.FusedMatMul(x, weightInput, { transB: true }), g.Add(biasInput, biasState))
  const zeros = g.constant(float32([1, 1, hidden], new Float32Array(hidden)))
  let [state, cell] = [zeros, zeros]
  const states: Value[] = []
  for (let index = 0; index < steps; index++) {
    const step = direction === '' ? index : steps - 1 - index
    const row = g.Slice(fromInput, { axis: 0, start: step, end: step + 1 })
    const gates = g.Add(row, g.FusedMatMul(state, weightState, { transB: true }))
    const [i, f, candidate, o] = g.Split(gates, { axis: 2, sizes: [hidden, hidden, hidden, hidden] }) as [
      Value,
      Value,
      Value,
      Value
    ]
    cell = g.Add(g.Mul(g.Sigmoid(f), cell), g.Mul(g.Sigmoid(i), g.Tanh(candidate)))
    state = g.Mul(g.Sigmoid(o), g.Tanh(cell))
    states[step] = state
  }
  return states.length === 1 ? states[0]! : g.Concat(states, { axis: 0 })
}

/** x [steps, 1, inputs] to [steps, 1, 2 * hidden]. With dropout, layers after the first take a mask, and rows may differ. */
export function lstm(g: GraphBuilder, x: Value, sizes: LstmSizes, dropout: boolean): Value {
  let current = x
  for (let layer = 0; layer < sizes.layers; layer++) {
    if (dropout && layer > 0) {
      current = g.Mul(current, g.input(maskName(layer), 'float32', [sizes.steps, 'rows', 2 * sizes.hidden]))
    }
    const both = directions.map(direction => direct(g, current, sizes, layer, direction))
    current = g.Concat(both, { axis: 2 })
  }
  return current
}
