// The reparameterization of a prefix while it is trained (Li and Liang 2021, section 4.3), as PEFT does it
// (peft/tuners/prefix_tuning/model.py): Embedding, Linear, Tanh, Linear.
import { createRandom } from '../../../common/random.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import type { Graph } from '../../../graph/graph.ts'
import { type Parameter, parameter } from '../../local/parameter.ts'
import { encoderLinear, linearParameters, normalValues } from '../encoder.ts'

export interface ProjectionSizes {
  readonly tokens: number
  /** of a block's keys */
  readonly width: number
  readonly hidden: number
  /** keys and values of all blocks */
  readonly outputs: number
}

/** From the parameters to `encoded` [tokens, outputs]. */
export function projectionGraph({ tokens, width, hidden, outputs }: ProjectionSizes): Graph {
  const g = new GraphBuilder('prefix projection')
  const embedded = g.input('embedding.weight', 'float32', [tokens, width])
  const inner = g.Tanh(encoderLinear(g, embedded, 'transform.0', [hidden, width]))
  g.output('encoded', encoderLinear(g, inner, 'transform.2', [outputs, hidden]))
  return g.build()
}

/** With PEFT's names and distributions; `zero`: the initial output is zero. */
export function projectionParameters(sizes: ProjectionSizes, zero: boolean, seed: number): Parameter[] {
  const { tokens, width, hidden, outputs } = sizes
  const embedding = normalValues(tokens * width, createRandom(seed, 0))
  const last = linearParameters('transform.2', [outputs, hidden], createRandom(seed, 2))
  if (zero) for (const { data } of last) data.fill(0)
  return [
    parameter('embedding.weight', [tokens, width], embedding),
    ...linearParameters('transform.0', [hidden, width], createRandom(seed, 1)),
    ...last
  ]
}
