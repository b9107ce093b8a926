// The encoder of P-tuning (Liu et al. 2021, section 3.2) as PEFT builds it (peft/tuners/p_tuning/model.py): an MLP, or a
// bidirectional LSTM and an MLP.
import { createRandom } from '../../../common/random.ts'
import { type Tensor, tensor } from '../../../common/tensor.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import type { Graph, Value } from '../../../graph/graph.ts'
import { type Parameter, parameter } from '../../parameter.ts'
import { linear, linearParameters, normalValues } from '../encoder.ts'
import type { PassOptions } from '../method.ts'
import { lstm, lstmParameters, maskName } from './lstm.ts'

export interface PromptEncoderSizes {
  readonly kind: 'MLP' | 'LSTM'
  readonly tokens: number
  /** of the vectors */
  readonly width: number
  readonly hidden: number
  /** of the LSTM */
  readonly layers: number
  /** between them */
  readonly dropout: number
}

/** The Linear of the MLP by their names, [out, in]; ReLU between them. */
function head({ kind, width, hidden }: PromptEncoderSizes): [string, [number, number]][] {
  if (kind === 'LSTM') {
    return [
      ['mlp_head.0', [2 * hidden, 2 * hidden]],
      ['mlp_head.2', [width, 2 * hidden]]
    ]
  }
  return [
    ['mlp_head.0', [hidden, width]],
    ['mlp_head.2', [hidden, hidden]],
    ['mlp_head.4', [width, hidden]]
  ]
}

function lstmSizes({ tokens, width, hidden, layers }: PromptEncoderSizes) {
  return { steps: tokens, inputs: width, hidden, layers }
}

/** From the parameters to `encoded` [tokens, width]. */
export function promptEncoderGraph(sizes: PromptEncoderSizes): Graph {
  const { kind, tokens, width, dropout } = sizes
  const g = new GraphBuilder('prompt encoder')
  let current: Value = g.input('embedding.weight', 'float32', [tokens, width])
  if (kind === 'LSTM') current = lstm(g, current, lstmSizes(sizes), dropout > 0)
  for (const [index, [name, shape]] of head(sizes).entries()) {
    current = linear(g, index === 0 ? current : g.Relu(current), name, shape)
  }
  g.output('encoded', current)
  return g.build()
}

/** With PEFT's names and distributions. */
export function promptEncoderParameters(sizes: PromptEncoderSizes, seed: number): Parameter[] {
  const { kind, tokens, width } = sizes
  return [
    parameter('embedding.weight', [tokens, width], normalValues(tokens * width, createRandom(seed, 0))),
    ...(kind === 'LSTM' ? lstmParameters(lstmSizes(sizes), createRandom(seed, 1)) : []),
    ...head(sizes).flatMap(([name, shape], index) => linearParameters(name, shape, createRandom(seed, 2 + index)))
  ]
}

/** Masks of the dropout between the LSTM's layers: one for all rows of a batch, where PEFT draws one for each. */
export function promptEncoderMasks(
  { kind, tokens, hidden, layers, dropout }: PromptEncoderSizes,
  { training, seed }: PassOptions
): Record<string, Tensor<'float32'>> {
  const masks: Record<string, Tensor<'float32'>> = {}
  if (kind !== 'LSTM' || dropout === 0) return masks
  for (let layer = 1; layer < layers; layer++) {
    const random = createRandom(seed, layer)
    const mask = tensor('float32', [tokens, 2 * hidden])
    for (let index = 0; index < mask.data.length; index++) {
      const drops = training && random.uniform() < dropout
      mask.data[index] = drops ? 0 : training ? 1 / (1 - dropout) : 1
    }
    masks[maskName(layer)] = mask
  }
  return masks
}
