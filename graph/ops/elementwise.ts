// Operators that work element by element, their inputs broadcast against each other.
import type { DType } from '../../common/tensor.ts'
import { type Call, reject, required, requiredFloat, type ValueType } from '../call.ts'
import type { Value } from '../graph.ts'
import type { GradientRule, Operator } from '../operator.ts'
import type { OperatorBuilder } from '../operator-builder.ts'
import { broadcast, type Shape } from '../shape.ts'

function inferUnary(call: Call): ValueType[] {
  return [requiredFloat(call)]
}

function broadcastAll(call: Call): Shape {
  return call.inputs
    .map((_, input) => required(call, input).shape)
    .reduce((a, b) => broadcast(a, b) ?? reject(call, 'shapes that broadcast (each axis equal, or 1)'))
}

function inferArithmetic(call: Call): ValueType[] {
  const { dtype } = required(call, 0)
  if (dtype === 'bool' || required(call, 1).dtype !== dtype) reject(call, 'numbers of one type')
  return [{ dtype, shape: broadcastAll(call) }]
}

function inferComparison(call: Call): ValueType[] {
  if (required(call, 0).dtype !== required(call, 1).dtype) reject(call, 'one type')
  return [{ dtype: 'bool', shape: broadcastAll(call) }]
}

function inferLogic(call: Call): ValueType[] {
  if (call.inputs.some(input => input?.dtype !== 'bool')) reject(call, 'bool')
  return [{ dtype: 'bool', shape: broadcastAll(call) }]
}

/** y = f(x), with the gradient of x from that of y, x and y. */
function unary(rule: (g: OperatorBuilder, grad: Value, x: Value, y: Value) => Value): Operator {
  return {
    infer: inferUnary,
    cheap: true,
    gradient: (g, { inputs, outputs }, [grad]) => [rule(g, grad!, inputs[0]!, outputs[0]!)]
  }
}

/** z = f(a, b), with the gradient of each from that of z, a, b and z. */
function binary(
  ruleA: (g: OperatorBuilder, grad: Value, a: Value, b: Value, z: Value) => Value,
  ruleB: (g: OperatorBuilder, grad: Value, a: Value, b: Value, z: Value) => Value
): Operator {
  const gradient: GradientRule = (g, { inputs, outputs }, [grad], needs) => {
    const [a, b, z] = [inputs[0]!, inputs[1]!, outputs[0]!]
    return [needs(0) ? ruleA(g, grad!, a, b, z) : null, needs(1) ? ruleB(g, grad!, a, b, z) : null]
  }
  return { infer: inferArithmetic, cheap: true, gradient }
}

const comparison: Operator = { infer: inferComparison, cheap: true, gradient: null }
const logic: Operator = { infer: inferLogic, cheap: true, gradient: null }

/** grad where the condition holds, 0 elsewhere */
const where = (g: OperatorBuilder, condition: Value, grad: Value) => g.Where(condition, grad, g.constant(0))

export const elementwise = {
  Identity: {
    infer: call => [required(call, 0)],
    cheap: true,
    gradient: (_, __, [grad]) => [grad!]
  },
  /** x, which counts as a constant where gradients are taken */
  Detach: {
    onnxName: 'Identity',
    infer: call => [required(call, 0)],
    cheap: true,
    detaches: true,
    gradient: null
  },
  Neg: {
    infer: call => (required(call, 0).dtype === 'bool' ? reject(call, 'numbers') : [required(call, 0)]),
    cheap: true,
    gradient: (g, _, [grad]) => [g.Neg(grad!)]
  },
  Exp: unary((g, grad, _, y) => g.Mul(grad, y)),
  Log: unary((g, grad, x) => g.Div(grad, x)),
  Sqrt: unary((g, grad, _, y) => g.Div(g.Mul(grad, g.constant(0.5)), y)),
  Reciprocal: unary((g, grad, _, y) => g.Neg(g.Mul(grad, g.Mul(y, y)))),
  Sigmoid: unary((g, grad, _, y) => g.Mul(grad, g.Mul(y, g.Sub(g.constant(1), y)))),
  Tanh: unary((g, grad, _, y) => g.Mul(grad, g.Sub(g.constant(1), g.Mul(y, y)))),
  Erf: unary((g, grad, x) => g.Mul(grad, g.Mul(g.constant(2 / Math.sqrt(Math.PI)), g.Exp(g.Neg(g.Mul(x, x)))))),
  Relu: unary((g, grad, x) => where(g, g.Greater(x, g.constant(0)), grad)),
  Add: binary(
    (_, grad) => grad,
    (_, grad) => grad
  ),
  Sub: binary(
    (_, grad) => grad,
    (g, grad) => g.Neg(grad)
  ),
  Mul: binary(
    (g, grad, _, b) => g.Mul(grad, b),
    (g, grad, a) => g.Mul(grad, a)
  ),
  Div: binary(
    (g, grad, _, b) => g.Div(grad, b),
    (g, grad, _, b, z) => g.Neg(g.Div(g.Mul(grad, z), b))
  ),
  // the gradient of the exponent is for positive a
  Pow: binary(
    (g, grad, a, b) => g.Mul(grad, g.Mul(b, g.Pow(a, g.Sub(b, g.constant(1))))),
    (g, grad, a, _, z) => g.Mul(grad, g.Mul(z, g.Log(a)))
  ),
  // of equal elements the first gets the gradient
  Max: binary(
    (g, grad, a, b) => where(g, g.GreaterOrEqual(a, b), grad),
    (g, grad, a, b) => where(g, g.Less(a, b), grad)
  ),
  Min: binary(
    (g, grad, a, b) => where(g, g.LessOrEqual(a, b), grad),
    (g, grad, a, b) => where(g, g.Greater(a, b), grad)
  ),
  Where: {
    infer: call => {
      const { dtype } = required(call, 1)
      if (required(call, 0).dtype !== 'bool' || required(call, 2).dtype !== dtype) {
        reject(call, 'a bool condition and two values of one type')
      }
      return [{ dtype, shape: broadcastAll(call) }]
    },
    cheap: true,
    gradient: (g, { inputs: [condition] }, [grad], needs) => [
      null,
      needs(1) ? where(g, condition!, grad!) : null,
      needs(2) ? g.Where(condition!, g.constant(0), grad!) : null
    ]
  },
  Cast: {
    attributes: { to: 'dtype' },
    infer: call => [{ dtype: call.attributes.to as DType, shape: required(call, 0).shape }],
    cheap: true,
    gradient: null // between whole numbers, truth values and float32: nothing that has a gradient on both sides
  },
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  And: logic,
  Or: logic,
  Not: logic
} satisfies Record<string, Operator>
