// Operators that move, pick, join or describe elements without computing on them.

import type { Dim, Value } from '../graph.ts'
import { type Call, type Operator, reject, required } from '../operator.ts'
import { broadcast, factors, normalizeAxis, type Shape } from '../shape.ts'

function axisOf(call: Call, axis: number, rank: number): number {
  return normalizeAxis(axis, rank) ?? reject(call, `an axis within rank ${rank}, not ${axis}`)
}

function asked(call: Call): Shape {
  return call.shape ?? reject(call, 'the shape of the result to be given')
}

/** Same number of elements, as far as symbols allow to tell. */
function inferReshape(call: Call) {
  const x = required(call, 0)
  const shape = asked(call)
  const [from, to] = [factors(x.shape), factors(shape)]
  const known = from.symbols.join() === to.symbols.join()
  if (known && from.size !== to.size) reject(call, `as many elements as [${shape.join(', ')}]`)
  return [{ dtype: x.dtype, shape }]
}

function inferConcat(call: Call) {
  const parts = call.inputs.map((_, input) => required(call, input))
  const [first] = parts
  const axis = axisOf(call, call.attributes.axis as number, first!.shape.length)
  let sum: Dim | null = 0
  for (const part of parts) {
    const fits = part.shape.length === first!.shape.length && part.dtype === first!.dtype
    if (!fits || part.shape.some((dim, i) => i !== axis && dim !== first!.shape[i])) {
      reject(call, `tensors of one type, equal in all axes but ${axis}`)
    }
    const dim = part.shape[axis]!
    sum = typeof sum === 'number' && typeof dim === 'number' ? sum + dim : null
  }
  const joined = call.shape?.[0] ?? sum ?? parts.map(part => part.shape[axis]).join('+')
  return [{ dtype: first!.dtype, shape: first!.shape.with(axis, joined) }]
}

export const shape = {
  Reshape: {
    infer: inferReshape,
    cheap: true,
    gradient: (g, { inputs }, [grad]) => [g.ReshapeLike(grad!, inputs[0]!), null]
  },
  Transpose: {
    attributes: { perm: 'ints' },
    infer: call => {
      const x = required(call, 0)
      const perm = call.attributes.perm as readonly number[]
      if ([...perm].sort((a, b) => a - b).join() !== [...x.shape.keys()].join())
        reject(call, `a permutation of ${x.shape.length} axes`)
      return [{ dtype: x.dtype, shape: perm.map(axis => x.shape[axis]!) }]
    },
    gradient: (g, { attributes }, [grad]) => {
      const perm = attributes.perm as readonly number[]
      return [g.Transpose(grad!, { perm: perm.map((_, axis) => perm.indexOf(axis)) })]
    }
  },
  Unsqueeze: {
    infer: call => {
      const x = required(call, 0)
      const axes = call.constantOf(1) ?? reject(call, 'constant axes')
      const rank = x.shape.length + axes.length
      const added = axes.map(axis => axisOf(call, axis, rank))
      const rest = x.shape[Symbol.iterator]()
      return [
        {
          dtype: x.dtype,
          shape: Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : rest.next().value!))
        }
      ]
    },
    cheap: true,
    gradient: (g, call, [grad]) => [g.Squeeze(grad!, call.constantOf(1)!), null]
  },
  Squeeze: {
    infer: call => {
      const x = required(call, 0)
      const axes = (call.constantOf(1) ?? reject(call, 'constant axes')).map(axis => axisOf(call, axis, x.shape.length))
      if (axes.some(axis => x.shape[axis] !== 1)) reject(call, `size 1 at axes ${axes}`)
      return [{ dtype: x.dtype, shape: x.shape.filter((_, axis) => !axes.includes(axis)) }]
    },
    cheap: true,
    gradient: (g, call, [grad]) => [g.Unsqueeze(grad!, call.constantOf(1)!), null]
  },
  Expand: {
    infer: call => {
      const x = required(call, 0)
      const shape = asked(call)
      if (broadcast(x.shape, shape)?.join() !== shape.join())
        reject(call, `a shape that broadcasts to [${shape.join(', ')}]`)
      return [{ dtype: x.dtype, shape }]
    },
    gradient: (_, __, [grad]) => [grad!, null] // the sum over the repeated axes is where all broadcasting is undone
  },
  Concat: {
    attributes: { axis: 'int' },
    infer: inferConcat,
    gradient: (g, call, [grad], needs) => {
      const parts = call.inputs.map(part => part!)
      const axis = axisOf(call, call.attributes.axis as number, parts[0]!.shape.length)
      const sizes = parts.map(part => g.dimensions(part, [axis]))
      let start = g.constant([0], 'int64')
      return parts.map((part, i) => {
        const end = g.Add(start, sizes[i]!)
        const slice = needs(i) ? g.SliceTo(grad!, start, end, axis, part.shape) : null
        start = end
        return slice
      })
    }
  },
  // inputs: x, starts, ends, axes (all along one axis, step 1)
  Slice: {
    infer: call => [{ dtype: required(call, 0).dtype, shape: asked(call) }],
    gradient: (g, call, [grad]) => {
      const [x, start, end, axes] = call.inputs.map(value => value!)
      const axis = call.constantOf(3)![0]!
      const size = g.dimensions(x!, [axis])
      const rank = x!.shape.length
      const at = (before: Value, after: Value) => {
        const zeros = (count: number) => Array.from({ length: count }, () => g.constant([0], 'int64'))
        return g.Concat(
          [...zeros(axis), before, ...zeros(rank - axis - 1), ...zeros(axis), after, ...zeros(rank - axis - 1)],
          { axis: 0 }
        )
      }
      void axes
      return [g.Pad(grad!, at(start!, g.Sub(size, end!)), x!.shape), null, null, null]
    }
  },
  // inputs: x, pads [2 * rank], zeros outside
  Pad: {
    infer: call => [{ dtype: required(call, 0).dtype, shape: asked(call) }],
    gradient: null
  },
  Gather: {
    attributes: { axis: 'int' },
    infer: call => {
      const [x, indices] = [required(call, 0), required(call, 1)]
      if (indices.dtype !== 'int64' && indices.dtype !== 'int32') reject(call, 'whole-numbered indices')
      const axis = axisOf(call, call.attributes.axis as number, x.shape.length)
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }]
    },
    // rows of a table: zeros, with the rows' gradients added where they were taken
    gradient: (g, call, [grad], needs) => {
      const [x, indices] = [call.inputs[0]!, call.inputs[1]!]
      if (!needs(0)) return [null, null]
      if (axisOf(call, call.attributes.axis as number, x.shape.length) !== 0)
        reject(call, 'axis 0 where a gradient is wanted')
      const zeros = g.Expand(g.constant(0), x.shape, g.Shape(x))
      return [g.ScatterND(zeros, g.Unsqueeze(indices, [indices.shape.length]), grad!, { reduction: 'add' }), null]
    }
  },
  ScatterND: {
    attributes: { reduction: 'string' },
    infer: call => [{ dtype: required(call, 0).dtype, shape: required(call, 0).shape }],
    gradient: null
  },
  GatherElements: {
    attributes: { axis: 'int' },
    infer: call => {
      const [x, indices] = [required(call, 0), required(call, 1)]
      if (x.shape.length !== indices.shape.length) reject(call, 'indices of the same rank')
      return [{ dtype: x.dtype, shape: indices.shape }]
    },
    gradient: (g, call, [grad]) => {
      const [x, indices] = [call.inputs[0]!, call.inputs[1]!]
      const zeros = g.Expand(g.constant(0), x.shape, g.Shape(x))
      return [
        g.ScatterElements(zeros, indices, grad!, { axis: call.attributes.axis as number, reduction: 'add' }),
        null
      ]
    }
  },
  ScatterElements: {
    attributes: { axis: 'int', reduction: 'string' },
    infer: call => [{ dtype: required(call, 0).dtype, shape: required(call, 0).shape }],
    gradient: null
  },
  Shape: {
    infer: call => [{ dtype: 'int64', shape: [required(call, 0).shape.length] }],
    cheap: true,
    gradient: null
  },
  Range: {
    infer: call => [{ dtype: required(call, 0).dtype, shape: asked(call) }],
    cheap: true,
    gradient: null
  },
  CumSum: {
    infer: call => [{ dtype: required(call, 0).dtype, shape: required(call, 0).shape }],
    cheap: true,
    gradient: null
  }
} satisfies Record<string, Operator>
