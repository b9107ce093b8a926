// Sums along axes, and what is built on them: softmax and root-mean-square normalization.
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../graph.ts'
import { type Call, type GradientRule, type Operator, reject, required } from '../operator.ts'
import { normalizeAxis, type Shape } from '../shape.ts'

function axesOf(call: Call): number[] {
  const rank = required(call, 0).shape.length
  const axes = call.constantOf(1) ?? [...Array(rank).keys()]
  return axes.map(axis => normalizeAxis(axis, rank) ?? reject(call, `axes within rank ${rank}, not ${axes}`))
}

function inferReduce(call: Call) {
  const x = required(call, 0)
  const axes = axesOf(call)
  const keep = call.attributes.keepdims !== 0
  const shape: Shape = keep
    ? x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    : x.shape.filter((_, axis) => !axes.includes(axis))
  return [{ dtype: x.dtype, shape }]
}

/** The gradient with its reduced axes back, of size 1. */
function restored(g: GraphBuilder, call: Call, grad: Value): Value {
  return call.attributes.keepdims === 0 ? g.Unsqueeze(grad, axesOf(call)) : grad
}

function inferAlong(call: Call) {
  const x = required(call, 0)
  if (x.dtype !== 'float32') reject(call, 'float32')
  if (normalizeAxis(call.attributes.axis as number, x.shape.length) !== x.shape.length - 1)
    reject(call, 'the last axis')
  return [{ dtype: x.dtype, shape: x.shape }]
}

/** y = x * rsqrt(mean(x²) + epsilon) * scale (arXiv 1910.07467, eq. 4), over the last axis. */
const rmsNormGradient: GradientRule = (g, call, [grad], needs) => {
  const [x, scale] = [call.inputs[0]!, call.inputs[1]!]
  const inverse = g.Reciprocal(
    g.Sqrt(g.Add(g.ReduceMean(g.Mul(x, x), { axes: [-1] }), g.constant(call.attributes.epsilon as number)))
  )
  const normalized = g.Mul(x, inverse)
  if (!needs(0)) return [null, g.Mul(grad!, normalized)]
  const scaled = g.Mul(grad!, scale)
  const along = g.ReduceMean(g.Mul(scaled, normalized), { axes: [-1] })
  return [g.Mul(inverse, g.Sub(scaled, g.Mul(normalized, along))), needs(1) ? g.Mul(grad!, normalized) : null]
}

export const reduce = {
  ReduceSum: {
    attributes: { keepdims: 'int' },
    infer: inferReduce,
    gradient: (g, call, [grad]) => [g.ExpandLike(restored(g, call, grad!), call.inputs[0]!), null]
  },
  ReduceMean: {
    attributes: { keepdims: 'int' },
    infer: inferReduce,
    gradient: (g, call, [grad]) => {
      const x = call.inputs[0]!
      const count = g.Cast(g.ReduceProd(g.dimensions(x, axesOf(call))), { to: 'float32' })
      return [g.ExpandLike(g.Div(restored(g, call, grad!), count), x), null]
    }
  },
  ReduceProd: {
    attributes: { keepdims: 'int' },
    infer: inferReduce,
    cheap: true,
    gradient: null
  },
  Softmax: {
    attributes: { axis: 'int' },
    infer: inferAlong,
    gradient: (g, { outputs }, [grad]) => {
      const y = outputs[0]!
      return [g.Mul(y, g.Sub(grad!, g.ReduceSum(g.Mul(grad!, y), { axes: [-1] })))]
    }
  },
  LogSoftmax: {
    attributes: { axis: 'int' },
    infer: inferAlong,
    gradient: (g, { outputs }, [grad]) => [g.Sub(grad!, g.Mul(g.Exp(outputs[0]!), g.ReduceSum(grad!, { axes: [-1] })))]
  },
  // inputs: x [..., n], scale [n]
  SimplifiedLayerNormalization: {
    attributes: { axis: 'int', epsilon: 'float' },
    infer: call => {
      const scale = required(call, 1)
      if (scale.shape.length !== 1 || scale.shape[0] !== required(call, 0).shape.at(-1))
        reject(call, 'a scale as long as the last axis')
      return inferAlong(call)
    },
    gradient: rmsNormGradient
  }
} satisfies Record<string, Operator>
