// Activations of feed-forward layers.
import { SwarmError } from '../../common/errors.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'

/** x / (1 + exp(-x)) */
function silu(g: GraphBuilder, x: Value): Value {
  return g.Mul(x, g.Sigmoid(x))
}

/** x Φ(x) (arXiv 1606.08415, equation 1) */
function gelu(g: GraphBuilder, x: Value): Value {
  const error = g.Erf(g.Mul(x, g.constant(Math.SQRT1_2)))
  return g.Mul(g.Mul(x, g.constant(0.5)), g.Add(error, g.constant(1)))
}

/** Its approximation by tanh (equation 2). */
function tanhGelu(g: GraphBuilder, x: Value): Value {
  const cube = g.Mul(g.Mul(x, x), x)
  const inner = g.Mul(g.Add(x, g.Mul(cube, g.constant(0.044715))), g.constant(Math.sqrt(2 / Math.PI)))
  return g.Mul(g.Mul(x, g.constant(0.5)), g.Add(g.Tanh(inner), g.constant(1)))
}

/** By Hugging Face's names (activations.py of transformers 5). */
const activations = {
  silu,
  swish: silu,
  gelu,
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  relu: (g: GraphBuilder, x: Value) => g.Relu(x),
  tanh: (g: GraphBuilder, x: Value) => g.Tanh(x)
} as const

export type Activation = keyof typeof activations

/** The activation that a configuration names. Throws UNSUPPORTED with those that there are. */
export function readActivation(field: string, name: string): Activation {
  if (Object.hasOwn(activations, name)) return name as Activation
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: ${field} '${name}' is not supported (supported: ${Object.keys(activations).join(', ')})`
  )
}

/** Element by element. */
export function activate(g: GraphBuilder, name: Activation, x: Value): Value {
  return activations[name](g, x)
}

/** activation(gate) * up, element by element (arXiv 2002.05202, equations 5 and 6). */
export function gated(g: GraphBuilder, name: Activation, gate: Value, up: Value): Value {
  return g.Mul(activate(g, name, gate), up)
}
