// Operators that combine elements along axes: sums, softmax, root mean square normalization.

import {
  axesInput,
  axisAttribute,
  axisOf,
  type Call,
  reject,
  required,
  requiredFloat,
  type ValueType
} from '../call.ts'
import { productOf } from '../dim.ts'
import type { Value } from '../graph.ts'
import type { GradientRule, Operator } from '../operator.ts'
import type { OperatorBuilder } from '../operator-builder.ts'

/** Inputs: x, axes (a constant; all of them where left out). */
function reducedAxes(call: Call): number[] {
  return call.inputs[1] == null ? [...required(call, 0).shape.keys()] : axesInput(call, 1)
}

function inferReduce(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  if (dtype === 'bool') reject(call, 'numbers')
  const axes = reducedAxes(call)
  const kept = call.attributes.keepdims !== 0
  return [
    {
      dtype,
      shape: kept
        ? shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
        : shape.filter((_, axis) => !axes.includes(axis))
    }
  ]
}

/** The gradient, with its reduced axes back, repeated along them. */
function spread(g: OperatorBuilder, call: Call, grad: Value): Value {
  const restored = call.attributes.keepdims === 0 ? g.Unsqueeze(grad, reducedAxes(call)) : grad
  return g.Expand(restored, call.inputs[0]!.shape)
}

function inferAlong(call: Call): ValueType[] {
  axisAttribute(call)
  return [requiredFloat(call)]
}

/** Sum along the operator's axis, which stays with size 1. */
const sumAlong = (g: OperatorBuilder, call: Call, x: Value): Value => g.ReduceSum(x, { axes: [axisAttribute(call)] })

/**
 * y = x r s with r = 1 / sqrt(mean(x²) + epsilon) (arXiv 1910.07467, equation 4), so that with d = grad s:
 * grad x = r d - x r³ mean(d x) and grad s = grad x r. r is the operator's second output.
 */
const normGradient: GradientRule = (g, { inputs, outputs }, [grad], needs) => {
  const [x, scale, r] = [inputs[0]!, inputs[1]!, outputs[1]!]
  const gradX = (): Value => {
    const d = g.Mul(grad!, scale)
    const along = g.Mul(g.ReduceMean(g.Mul(d, x), { axes: [-1] }), g.Mul(r, g.Mul(r, r)))
    return g.Sub(g.Mul(d, r), g.Mul(x, along))
  }
  return [needs(0) ? gradX() : null, needs(1) ? g.Mul(grad!, g.Mul(x, r)) : null]
}

/**
 * y = n s + b with n = (x - mean(x)) r and r = 1 / sqrt(variance(x) + epsilon) (arXiv 1607.06450, equation 4), so that with
 * d = grad s: grad x = r (d - mean(d) - n mean(d n)), grad s = grad n, grad b = grad. Outputs 1 and 2 are mean and r.
 */
const layerNormGradient: GradientRule = (g, { inputs, outputs }, [grad], needs) => {
  const [x, scale, mean, r] = [inputs[0]!, inputs[1]!, outputs[1]!, outputs[2]!]
  const normal = (): Value => g.Mul(g.Sub(x, mean), r)
  const along = (value: Value): Value => g.ReduceMean(value, { axes: [-1] })
  const gradX = (): Value => {
    const [d, n] = [g.Mul(grad!, scale), normal()]
    return g.Mul(r, g.Sub(g.Sub(d, along(d)), g.Mul(n, along(g.Mul(d, n)))))
  }
  return [needs(0) ? gradX() : null, needs(1) ? g.Mul(grad!, normal()) : null, needs(2) ? grad! : null]
}

/** The shape of a norm's input, checked against the tensors [n] that follow it. */
function normalized(call: Call): { x: Value; last: number } {
  const x = requiredFloat(call, 0)
  const last = x.shape.length - 1
  if (axisAttribute(call) !== last) reject(call, 'the last axis')
  for (const input of [...call.inputs.keys()].slice(1)) {
    const { shape } = requiredFloat(call, input)
    if (shape.length !== 1 || shape[0] !== x.shape[last]) reject(call, `input ${input} [${x.shape[last]}]`)
  }
  return { x, last }
}

export const reduce = {
  ReduceSum: {
    attributes: { keepdims: 'int' },
    infer: inferReduce,
    gradient: (g, call, [grad]) => [spread(g, call, grad!), null]
  },
  ReduceSumSquare: {
    attributes: { keepdims: 'int' },
    infer: call => {
      requiredFloat(call)
      return inferReduce(call)
    },
    gradient: (g, call, [grad]) => [g.Mul(spread(g, call, grad!), g.Mul(call.inputs[0]!, g.constant(2))), null]
  },
  ReduceMean: {
    attributes: { keepdims: 'int' },
    infer: call => {
      requiredFloat(call)
      return inferReduce(call)
    },
    gradient: (g, call, [grad]) => {
      const { shape } = call.inputs[0]!
      const count = g.size(productOf(reducedAxes(call).map(axis => shape[axis]!)))
      return [spread(g, call, g.Div(grad!, g.Cast(count, { to: 'float32' }))), null]
    }
  },
  Softmax: {
    attributes: { axis: 'int' },
    infer: inferAlong,
    gradient: (g, call, [grad]) => {
      const y = call.outputs[0]!
      return [g.Mul(y, g.Sub(grad!, sumAlong(g, call, g.Mul(grad!, y))))]
    }
  },
  LogSoftmax: {
    attributes: { axis: 'int' },
    infer: inferAlong,
    gradient: (g, call, [grad]) => [g.Sub(grad!, g.Mul(g.Exp(call.outputs[0]!), sumAlong(g, call, grad!)))]
  },
  // inputs: x, axis (a constant)
  CumSum: {
    attributes: { exclusive: 'int', reverse: 'int' },
    infer: call => {
      axisOf(call, (call.constantOf(1) ?? reject(call, 'a constant axis'))[0]!)
      return [required(call, 0)]
    },
    cheap: true,
    gradient: null // counts tokens; nothing trained passes it
  },
  // inputs: x [..., n], scale [n]; outputs: y, 1 / rms(x) [..., 1]
  SimplifiedLayerNormalization: {
    attributes: { axis: 'int', epsilon: 'float' },
    infer: call => {
      const { x, last } = normalized(call)
      return [x, { dtype: 'float32', shape: x.shape.with(last, 1) }]
    },
    optionalOutputs: true,
    cheap: true, // two passes over x; of its outputs only 1 / rms(x) is small
    gradient: normGradient
  },
  // inputs: x [..., n], scale [n], bias [n]; outputs: y, mean(x) [..., 1], 1 / deviation(x) [..., 1]
  LayerNormalization: {
    attributes: { axis: 'int', epsilon: 'float' },
    infer: call => {
      const { x, last } = normalized(call)
      const small: ValueType = { dtype: 'float32', shape: x.shape.with(last, 1) }
      return [x, small, small]
    },
    optionalOutputs: true,
    cheap: true,
    gradient: layerNormGradient
  }
} satisfies Record<string, Operator>
