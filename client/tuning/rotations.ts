// Orthogonal blocks from the parameters of OFT and BOFT, as graphs differentiated by graph/ (peft/tuners/oft/layer.py, _cayley_batch;
// boft/layer.py, cayley_batch). Knows no method.
import { type Float32Tensor, float32, int64, type Tensor } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { productOf } from '../../graph/dim.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import type { Parameter } from '../local/parameter.ts'
import { Encoder } from './encoder.ts'

/** How blocks follow from skew-symmetric matrices Q. */
export interface Cayley {
  /** terms of the series that stands for (I - Q)(I + Q)⁻¹; null: the inverse itself */
  readonly terms: number | null
}

/** A parameter and the ports that its blocks fill. */
export interface Rotation {
  /** [count, size (size - 1) / 2], what is above the diagonal; or [factors, count, size, size], of which the skew part counts */
  readonly parameter: Parameter
  /** a port [count, size, size] for each factor */
  readonly ports: readonly string[]
  readonly count: number
  readonly size: number
}

function identityOf(g: GraphBuilder, size: number): Value {
  const data = Float32Array.from({ length: size * size }, (_, index) => (index % (size + 1) === 0 ? 1 : 0))
  return g.constant(float32([1, size, size], data))
}

/** [count, size (size - 1) / 2], row by row above the diagonal -> [count, size, size] */
function skewFromTriangle(g: GraphBuilder, triangle: Value, size: number): Value {
  const elements = (size * (size - 1)) / 2
  const zero = g.Mul(g.Slice(triangle, { axis: 1, end: 1 }), g.constant(0))
  const whole = g.Concat([triangle, g.Neg(triangle), zero], { axis: 1 })
  const places = Array.from({ length: size * size }, () => 2 * elements)
  let next = 0
  for (let row = 0; row < size; row++) {
    for (let column = row + 1; column < size; column++) {
      places[row * size + column] = next
      places[column * size + row] = elements + next
      next++
    }
  }
  const picked = g.Gather(whole, g.constant(int64([places.length], places)), { axis: 1 })
  return g.Reshape(picked, [triangle.shape[0]!, size, size])
}

/** Of any matrices: (X - Xᵀ) / 2. */
function skewPart(g: GraphBuilder, matrices: Value): Value {
  return g.Mul(g.Sub(matrices, g.Transpose(matrices, { perm: [0, 2, 1] })), g.constant(0.5))
}

/** The last term of the series counts once, all others but I twice. */
function cayleySeries(g: GraphBuilder, skew: Value, size: number, terms: number): Value {
  const twice = (power: Value): Value => g.Mul(power, g.constant(2))
  let sum = g.Add(g.Mul(skew, g.constant(0)), identityOf(g, size))
  if (terms > 1) sum = g.Add(sum, twice(skew))
  if (terms <= 2) return sum
  let power = g.MatMul(skew, skew)
  sum = g.Add(sum, twice(power))
  for (let term = 3; term < terms - 1; term++) {
    power = g.MatMul(power, skew)
    sum = g.Add(sum, twice(power))
  }
  return g.Add(sum, g.MatMul(power, skew))
}

function cayley(g: GraphBuilder, skew: Value, size: number, { terms }: Cayley): Value {
  if (terms !== null) return cayleySeries(g, skew, size, terms)
  const identity = identityOf(g, size)
  return g.MatMul(g.Sub(identity, skew), g.Inverse(g.Add(identity, skew)))
}

/** All blocks of one size, one below the other: `encoded` [blocks, size, size]. */
function rotationGraph(rotations: readonly Rotation[], size: number, kind: Cayley): Graph {
  const g = new GraphBuilder(`rotations of ${size}`)
  const skews = rotations.map(({ parameter: { name, shape } }) => {
    const given = g.input(name, 'float32', shape)
    if (shape.length === 2) return skewFromTriangle(g, given, size)
    return skewPart(g, g.Reshape(given, [productOf(shape.slice(0, 2)), size, size]))
  })
  const all = skews.length === 1 ? skews[0]! : g.Concat(skews, { axis: 0 })
  g.output('encoded', cayley(g, all, size, kind))
  return g.build()
}

/** Blocks of one pass. */
export interface RotationPass {
  readonly ports: Readonly<Record<string, Float32Tensor>>
  /** Adds the gradients of the parameters from those of the ports. */
  backward(gradients: Readonly<Record<string, Tensor>>): Promise<void>
}

export class Rotations {
  readonly #groups: readonly {
    readonly encoder: Encoder
    readonly rotations: readonly Rotation[]
    readonly size: number
  }[]

  constructor(rotations: readonly Rotation[], kind: Cayley) {
    // blocks of one number do not turn
    const sizes = [...new Set(rotations.map(({ size }) => size))].filter(size => size > 1)
    this.#groups = sizes.map(size => {
      const own = rotations.filter(each => each.size === size)
      const parameters = own.map(({ parameter }) => parameter)
      return { encoder: new Encoder(rotationGraph(own, size, kind), parameters), rotations: own, size }
    })
  }

  async encode(): Promise<RotationPass> {
    const parts = await Promise.all(
      this.#groups.map(async group => ({ ...group, encoded: await group.encoder.encode() }))
    )
    const ports: Record<string, Float32Tensor> = {}
    const places = parts.map(({ encoded, rotations, size }) => {
      let at = 0
      return rotations.flatMap(({ ports: names, count }) =>
        names.map(name => {
          const length = count * size * size
          ports[name] = float32([count, size, size], encoded.values.data.slice(at, at + length))
          at += length
          return { name, at: at - length }
        })
      )
    })
    return {
      ports,
      async backward(gradients) {
        for (const [index, { encoded }] of parts.entries()) {
          const sum = new Float32Array(encoded.values.data.length)
          for (const { name, at } of places[index]!) {
            const gradient = gradients[name]
            if (gradient !== undefined) sum.set(gradient.data as Float32Array, at)
          }
          await encoded.backward(float32(encoded.values.shape, sum))
        }
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#groups.map(({ encoder }) => encoder.close()))
  }
}
