// The encoder of P-tuning (Liu et al. 2021, section 3.2) as PEFT builds it (peft/tuners/p_tuning/model.py): an MLP, or a
// bidirectional LSTM and an MLP.
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, tensor } from '../../../common/tensor.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import type { Graph, Value } from '../../../graph/graph.ts'
import { type Parameter, parameter } from '../../local/parameter.ts'
import { encoderLinear, linearParameters, normalValues } from '../encoder.ts'
import type { TuningPassOptions } from '../method.ts'
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

/** Whether rows of a batch differ in training: what the LSTM drops between its layers is drawn for each, as PEFT does. */
function drops({ kind, layers, dropout }: PromptEncoderSizes): boolean {
  return kind === 'LSTM' && layers > 1 && dropout > 0
}

/** From the parameters to `encoded` [tokens, width]; with dropout [rows, tokens, width]. */
export function promptEncoderGraph(sizes: PromptEncoderSizes): Graph {
  const { kind, tokens, width } = sizes
  const g = new GraphBuilder('prompt encoder')
  let current: Value = g.input('embedding.weight', 'float32', [tokens, width])
  if (kind === 'LSTM') {
    current = lstm(g, g.Unsqueeze(current, [1]), lstmSizes(sizes), drops(sizes))
    current = drops(sizes) ? g.Transpose(current, { perm: [1, 0, 2] }) : g.Reshape(current, [tokens, current.shape[2]!])
  }
  for (const [index, [name, shape]] of head(sizes).entries()) {
    current = encoderLinear(g, index === 0 ? current : g.Relu(current), name, shape)
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

/** Masks of the dropout between the LSTM's layers; where it does not act, ones for a single row. */
export function promptEncoderMasks(
  sizes: PromptEncoderSizes,
  { training, seed, rows = 1 }: TuningPassOptions
): Record<string, Float32Tensor> {
  const masks: Record<string, Float32Tensor> = {}
  if (!drops(sizes)) return masks
  const { tokens, hidden, layers, dropout } = sizes
  for (let layer = 1; layer < layers; layer++) {
    const random = createRandom(seed, layer)
    const mask = tensor('float32', [tokens, training ? rows : 1, 2 * hidden])
    for (let index = 0; index < mask.data.length; index++) {
      const isDropped = training && random.uniform() < dropout
      mask.data[index] = isDropped ? 0 : training ? 1 / (1 - dropout) : 1
    }
    masks[maskName(layer)] = mask
  }
  return masks
}
