// Operators that pick elements by index, and those that add them back where they came from.

import { axisAttribute, type Call, reject, required, requiredIndices, type ValueType } from '../call.ts'
import type { Value } from '../graph.ts'
import type { GradientRule, Operator } from '../operator.ts'
import { formatShape, sameShape } from '../shape.ts'

function inferGather(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const axis = axisAttribute(call)
  return [{ dtype, shape: [...shape.slice(0, axis), ...requiredIndices(call, 1), ...shape.slice(axis + 1)] }]
}

function inferGatherElements(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const picked = requiredIndices(call, 1)
  const axis = axisAttribute(call)
  if (picked.length !== shape.length || picked.some((dim, i) => i !== axis && dim !== shape[i])) {
    reject(call, `indices equal to the data in all axes but ${axis}`)
  }
  return [{ dtype, shape: picked }]
}

/** Inputs: data, indices, updates of the indices' shape. */
function inferScatterElements(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const [indices, updates] = [requiredIndices(call, 1), required(call, 2)]
  axisAttribute(call)
  if (indices.length !== shape.length || !sameShape(indices, updates.shape) || updates.dtype !== dtype) {
    reject(call, 'indices and updates of one shape, as many axes as the data')
  }
  return [{ dtype, shape }]
}

/** Inputs: data, indices [..., depth], updates [..., axes of the data after depth]. */
function inferScatterND(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const [indices, updates] = [requiredIndices(call, 1), required(call, 2)]
  const depth = indices.at(-1)
  if (typeof depth !== 'number' || depth > shape.length) return reject(call, `indices [..., at most ${shape.length}]`)
  const wanted = [...indices.slice(0, -1), ...shape.slice(depth)]
  if (!sameShape(wanted, updates.shape) || updates.dtype !== dtype) reject(call, `updates ${formatShape(wanted)}`)
  return [{ dtype, shape }]
}

/** Zeros, with the gradients of the picked rows added where they were picked. */
const gatherGradient: GradientRule = (g, call, [grad]) => {
  const [x, indices] = [call.inputs[0]!, call.inputs[1]!]
  const axis = axisAttribute(call)
  // the picked axis first, in the table and in what was picked from it
  const perm = toFront(x.shape.length, axis, 1)
  const zeros = g.Expand(
    g.constant(0),
    perm.map(i => x.shape[i]!)
  )
  const rows = g.Transpose(grad!, { perm: toFront(grad!.shape.length, axis, indices.shape.length) })
  const scattered = g.ScatterND(zeros, g.Unsqueeze(indices, [-1]), rows, { reduction: 'add' })
  return [g.Transpose(scattered, { perm: perm.map((_, i) => perm.indexOf(i)) }), null]
}

/** The permutation that brings `count` axes from `from` on to the front. */
function toFront(rank: number, from: number, count: number): number[] {
  const moved = Array.from({ length: count }, (_, i) => from + i)
  return [...moved, ...Array.from({ length: rank }, (_, i) => i).filter(i => !moved.includes(i))]
}

/** Inputs: x [..., n], k (a constant): the k largest along the last axis and where they are, largest first. */
function inferTopK(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const [k] = call.constantOf(1) ?? reject(call, 'a constant number')
  const last = shape.length - 1
  if (axisAttribute(call) !== last) reject(call, 'the last axis')
  const picked = shape.with(last, k!)
  return [
    { dtype, shape: picked },
    { dtype: 'int64', shape: picked }
  ]
}

/** Where x [n] is true, as [1, count]; the builder names the count. */
function inferNonZero(call: Call): ValueType[] {
  const { dtype, shape } = required(call, 0)
  const count = call.shape?.[0]
  if (dtype !== 'bool' || shape.length !== 1 || count === undefined)
    return reject(call, 'a bool [n], and a named count')
  return [{ dtype: 'int64', shape: [1, count] }]
}

/** Rows that are added at single places of axis 0: those of the gradient at these places. */
const scatterGradient: GradientRule = (g, call, [grad], needs) => {
  const indices = call.inputs[1]!
  if (call.attributes.reduction !== 'add' || indices.shape.at(-1) !== 1)
    reject(call, 'rows that are added, for a gradient')
  const rows = (): Value => g.Gather(grad!, g.Reshape(indices, indices.shape.slice(0, -1)), { axis: 0 })
  return [grad!, null, needs(2) ? rows() : null]
}

export const pick = {
  Gather: { attributes: { axis: 'int' }, infer: inferGather, cheap: true, gradient: gatherGradient },
  GatherElements: {
    attributes: { axis: 'int' },
    infer: inferGatherElements,
    cheap: true,
    gradient: (g, call, [grad]) => {
      const [x, indices] = [call.inputs[0]!, call.inputs[1]!]
      return [
        g.ScatterElements(g.Expand(g.constant(0), x.shape), indices, grad!, {
          axis: axisAttribute(call),
          reduction: 'add'
        }),
        null
      ]
    }
  },
  ScatterElements: {
    attributes: { axis: 'int', reduction: 'string' },
    infer: inferScatterElements,
    gradient: null // made by the gradient of GatherElements only
  },
  ScatterND: {
    attributes: { reduction: 'string' },
    infer: inferScatterND,
    gradient: scatterGradient
  },
  TopK: {
    attributes: { axis: 'int' },
    infer: inferTopK,
    gradient: null // says where; GatherElements picks what is differentiated
  },
  NonZero: { infer: inferNonZero, gradient: null }
} satisfies Record<string, Operator>
