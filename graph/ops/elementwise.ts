// Operators that work element by element.
import type { DType } from '../../common/tensor.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../graph.ts'
import { type Call, type DoneCall, type GradientRule, type Operator, reject, required } from '../operator.ts'
import { broadcast } from '../shape.ts'

const arithmetic: readonly DType[] = ['float32', 'int64', 'int32']

function inferUnary(call: Call) {
  const { dtype, shape } = required(call, 0)
  return [{ dtype, shape }]
}

function inferFloat(call: Call) {
  if (required(call, 0).dtype !== 'float32') reject(call, 'float32')
  return inferUnary(call)
}

function inferBinary(call: Call) {
  const [a, b] = [required(call, 0), required(call, 1)]
  if (a.dtype !== b.dtype || !arithmetic.includes(a.dtype)) reject(call, 'two tensors of one numeric type')
  return [{ dtype: a.dtype, shape: broadcast(a.shape, b.shape) ?? reject(call, 'shapes that broadcast') }]
}

function inferCompare(call: Call) {
  const [a, b] = [required(call, 0), required(call, 1)]
  if (a.dtype !== b.dtype) reject(call, 'two tensors of one type')
  return [{ dtype: 'bool' as const, shape: broadcast(a.shape, b.shape) ?? reject(call, 'shapes that broadcast') }]
}

function inferLogic(call: Call) {
  if (call.inputs.some(value => value?.dtype !== 'bool')) reject(call, 'bool tensors')
  return call.inputs.length === 1 ? inferUnary(call) : inferCompare(call)
}

/** A row for y = f(x) with dL/dx = rule(dL/dy, x, y). */
const unary = (rule: (g: GraphBuilder, grad: Value, x: Value, y: Value) => Value): Operator => ({
  infer: inferFloat,
  cheap: true,
  gradient: (g, { inputs, outputs }, [grad]) => [rule(g, grad!, inputs[0]!, outputs[0]!)]
})

const binary = (gradient: GradientRule): Operator => ({ infer: inferBinary, cheap: true, gradient })
const silent = (infer: Operator['infer']): Operator => ({ infer, cheap: true, gradient: null })

const operands = (call: DoneCall): [Value, Value] => [call.inputs[0]!, call.inputs[1]!]

export const elementwise = {
  Identity: { infer: inferUnary, cheap: true, gradient: (_, __, [grad]) => [grad!] },
  Neg: unary((g, grad) => g.Neg(grad)),
  Exp: unary((g, grad, _, y) => g.Mul(grad, y)),
  Log: unary((g, grad, x) => g.Div(grad, x)),
  Sqrt: unary((g, grad, _, y) => g.Div(g.Mul(grad, g.constant(0.5)), y)),
  Reciprocal: unary((g, grad, _, y) => g.Neg(g.Mul(grad, g.Mul(y, y)))),
  Sigmoid: unary((g, grad, _, y) => g.Mul(grad, g.Mul(y, g.Sub(g.constant(1), y)))),
  Tanh: unary((g, grad, _, y) => g.Mul(grad, g.Sub(g.constant(1), g.Mul(y, y)))),
  Erf: unary((g, grad, x) => g.Mul(grad, g.Mul(g.constant(2 / Math.sqrt(Math.PI)), g.Exp(g.Neg(g.Mul(x, x)))))),
  Relu: unary((g, grad, x) => g.Mul(grad, g.Cast(g.Greater(x, g.constant(0)), { to: 'float32' }))),
  Add: binary((_, __, [grad]) => [grad!, grad!]),
  Sub: binary((g, _, [grad], needs) => [grad!, needs(1) ? g.Neg(grad!) : null]),
  Mul: binary((g, call, [grad], needs) => {
    const [a, b] = operands(call)
    return [needs(0) ? g.Mul(grad!, b) : null, needs(1) ? g.Mul(grad!, a) : null]
  }),
  Div: binary((g, call, [grad], needs) => {
    const [, b] = operands(call)
    return [needs(0) ? g.Div(grad!, b) : null, needs(1) ? g.Neg(g.Div(g.Mul(grad!, call.outputs[0]!), b)) : null]
  }),
  // only with an exponent that wants no gradient
  Pow: binary((g, call, [grad]) => {
    const [a, b] = operands(call)
    return [g.Mul(grad!, g.Mul(b, g.Pow(a, g.Sub(b, g.constant(1))))), null]
  }),
  Where: {
    infer: call => {
      const [condition, a, b] = [required(call, 0), required(call, 1), required(call, 2)]
      if (condition.dtype !== 'bool' || a.dtype !== b.dtype) reject(call, 'bool condition and two tensors of one type')
      const shape = broadcast(a.shape, b.shape)
      return [
        { dtype: a.dtype, shape: (shape && broadcast(condition.shape, shape)) ?? reject(call, 'shapes that broadcast') }
      ]
    },
    cheap: true,
    gradient: (g, { inputs }, [grad], needs) => [
      null,
      needs(1) ? g.Where(inputs[0]!, grad!, g.constant(0)) : null,
      needs(2) ? g.Where(inputs[0]!, g.constant(0), grad!) : null
    ]
  },
  Cast: {
    attributes: { to: 'dtype' },
    infer: call => [{ dtype: call.attributes.to as DType, shape: required(call, 0).shape }],
    cheap: true,
    gradient: (g, { inputs }, [grad]) => [inputs[0]!.dtype === 'float32' ? g.Identity(grad!) : null]
  },
  Greater: silent(inferCompare),
  GreaterOrEqual: silent(inferCompare),
  Less: silent(inferCompare),
  Equal: silent(inferCompare),
  And: silent(inferLogic),
  Or: silent(inferLogic),
  Not: silent(inferLogic)
} satisfies Record<string, Operator>
