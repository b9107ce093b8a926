// Operators that describe, rearrange and join elements without computing on them.

import { axesInput, axisAttribute, type Call, reject, required, type ValueType } from '../call.ts'
import { addDims, productOf } from '../dim.ts'
import type { Dim, Value } from '../graph.ts'
import type { GradientRule, Operator } from '../operator.ts'
import { broadcast, formatShape, type Shape, sameShape } from '../shape.ts'

function asked(call: Call): Shape {
  return call.shape ?? reject(call, 'the shape of the result to be given')
}

/** A result of the type of input 0 whose shape the builder worked out. */
function inferAsked(call: Call): ValueType[] {
  return [{ dtype: required(call, 0).dtype, shape: asked(call) }]
}

function inferReshape(call: Call): ValueType[] {
  const shape = asked(call)
  const [from, to] = [productOf(required(call, 0).shape), productOf(shape)]
  if (from !== to && (call.rest === undefined || !shape.includes(call.rest)))
    reject(call, `as many elements as ${formatShape(shape)} (${to}, not ${from})`)
  return inferAsked(call)
}

function inferTranspose(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const perm = call.attributes.perm as readonly number[]
  if (perm.length !== shape.length || shape.some((_, axis) => !perm.includes(axis))) {
    reject(call, `a permutation of ${shape.length} axes, not [${perm}]`)
  }
  return [{ dtype, shape: perm.map(axis => shape[axis]!) }]
}

function inferUnsqueeze(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const rank = shape.length + (call.constantOf(1)?.length ?? 0)
  const added = axesInput(call, 1, rank)
  let next = 0
  return [{ dtype, shape: Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : shape[next++]!)) }]
}

function inferSqueeze(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const axes = axesInput(call, 1)
  if (axes.some(axis => shape[axis] !== 1)) reject(call, `size 1 at axes ${axes}`)
  return [{ dtype, shape: shape.filter((_, axis) => !axes.includes(axis)) }]
}

function inferExpand(call: Call): ValueType[] {
  const shape = asked(call)
  const reached = broadcast(required(call, 0).shape, shape)
  if (reached === null || !sameShape(reached, shape)) reject(call, `a shape that broadcasts to ${formatShape(shape)}`)
  return inferAsked(call)
}

function inferConcat(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const axis = axisAttribute(call)
  let sum: Dim = 0
  for (const input of call.inputs.keys()) {
    const part = required(call, input)
    const fits = part.dtype === dtype && part.shape.length === shape.length
    if (!fits || part.shape.some((dim, i) => i !== axis && dim !== shape[i])) {
      reject(call, `tensors of one type, equal in all axes but ${axis}`)
    }
    sum = addDims(sum, part.shape[axis]!)
  }
  return [{ dtype, shape: shape.with(axis, call.shape?.[0] ?? sum) }]
}

function inferSplit(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const axis = axisAttribute(call)
  const sizes = call.constantOf(1) ?? reject(call, 'constant sizes')
  const sum = sizes.reduce((a, b) => a + b, 0)
  if (sum !== shape[axis])
    reject(call, `sizes that add up to axis ${axis} (${sizes.join(' + ')} is not ${shape[axis]})`)
  return sizes.map(size => ({ dtype, shape: shape.with(axis, size) }))
}

const concatGradient: GradientRule = (g, call, [grad], needs) => {
  const axis = axisAttribute(call)
  let start: Dim = 0
  return call.inputs.map((part, input) => {
    const end: Dim = addDims(start, part!.shape[axis]!)
    const slice = needs(input) ? g.Slice(grad!, { start, end, axis, dim: part!.shape[axis]! }) : null
    start = end
    return slice
  })
}

const splitGradient: GradientRule = (g, { attributes, outputs }, grads) => [
  g.Concat(
    outputs.map((output, i) => grads[i] ?? g.Expand(g.constant(0), output.shape)),
    { axis: attributes.axis as number }
  ),
  null
]

/** Zeros before and after, where the slice was cut out. */
const sliceGradient: GradientRule = (g, call, [grad]) => {
  const [x, start, end] = [call.inputs[0]!, call.inputs[1]!, call.inputs[2]!]
  const [axis] = axesInput(call, 3)
  const after = g.Sub(g.sizes([x.shape[axis!]!]), end)
  const along = (size: Value): Value[] => x.shape.map((_, i) => (i === axis ? size : g.constant([0], 'int64')))
  return [g.Pad(grad!, g.Concat([...along(start), ...along(after)], { axis: 0 }), x.shape), null, null, null]
}

export const shape = {
  Reshape: {
    attributes: { allowzero: 'int' },
    infer: inferReshape,
    cheap: true,
    gradient: (g, { inputs: [x] }, [grad]) => [g.Reshape(grad!, x!.shape), null]
  },
  Transpose: {
    attributes: { perm: 'ints' },
    infer: inferTranspose,
    cheap: true,
    gradient: (g, { attributes }, [grad]) => {
      const perm = attributes.perm as readonly number[]
      return [g.Transpose(grad!, { perm: perm.map((_, axis) => perm.indexOf(axis)) })]
    }
  },
  Unsqueeze: {
    infer: inferUnsqueeze,
    cheap: true,
    gradient: (g, { inputs: [x] }, [grad]) => [g.Reshape(grad!, x!.shape), null]
  },
  Squeeze: {
    infer: inferSqueeze,
    cheap: true,
    gradient: (g, { inputs: [x] }, [grad]) => [g.Reshape(grad!, x!.shape), null]
  },
  Expand: {
    infer: inferExpand,
    cheap: true,
    gradient: (_, __, [grad]) => [grad!, null] // the sum over the repeated axes is where all broadcasting is undone
  },
  Concat: { attributes: { axis: 'int' }, infer: inferConcat, cheap: true, gradient: concatGradient },
  Split: { attributes: { axis: 'int' }, infer: inferSplit, cheap: true, gradient: splitGradient },
  // inputs: x, start, end, axis (int64 [1] each, counted from the front)
  Slice: { infer: inferAsked, cheap: true, gradient: sliceGradient },
  // inputs: x, pads (int64 [2 * rank]): zeros around
  Pad: {
    infer: inferAsked,
    cheap: true,
    gradient: null // made by the gradient of Slice only
  },
  Shape: {
    attributes: { start: 'int', end: 'int' },
    infer: call => {
      const rank = required(call, 0).shape.length
      const { start = 0, end = rank } = call.attributes as { start?: number; end?: number }
      return [{ dtype: 'int64', shape: [Math.max(0, Math.min(end, rank) - start)] }]
    },
    cheap: true,
    gradient: null
  },
  // inputs: start, limit, delta: scalars of one type
  Range: { infer: inferAsked, cheap: true, gradient: null }
} satisfies Record<string, Operator>
