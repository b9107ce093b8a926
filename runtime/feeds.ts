// Validates the inputs of a run against its graph. Every message names the tensor, the expectation and the finding.
import { SwarmError } from '../common/errors.ts'
import { sizeOf, type Tensor } from '../common/tensor.ts'
import { evaluate } from '../graph/dim.ts'
import type { Dim, Graph, Value } from '../graph/graph.ts'

type Tensors = Readonly<Record<string, Tensor>>

const format = ({ dtype, shape }: { dtype: string; shape: readonly Dim[] }): string => `${dtype}[${shape.join(', ')}]`

const isSymbol = (dim: Dim): dim is string => typeof dim === 'string' && /^[\w.]+$/.test(dim)

/** Sizes of symbols, each with the input that said it first. */
class Symbols {
  readonly #sizes = new Map<string, { size: number; from: string }>()

  /** Why a dimension cannot be this long; null where it can. */
  conflict(dim: Dim, size: number, name: string): string | null {
    if (isSymbol(dim)) {
      const known = this.#sizes.get(dim)
      if (known === undefined) this.#sizes.set(dim, { size, from: name })
      else if (known.size !== size) return `${dim} is ${known.size} in ${known.from}`
      return null
    }
    const expected = evaluate(dim, symbol => this.#sizes.get(symbol)?.size ?? Number.NaN)
    return Number.isNaN(expected) || expected === size ? null : `${dim} is ${expected}`
  }
}

/** Why a tensor is not what the value says; null where it is. */
function mismatch(name: string, value: Value, { dtype, shape, data }: Tensor, symbols: Symbols): string | null {
  const found = (): string => format({ dtype, shape })
  if (dtype !== value.dtype || shape.length !== value.shape.length) return found()
  if (data.length !== sizeOf(shape)) return `${found()} with ${data.length} elements`
  for (const [axis, dim] of value.shape.entries()) {
    const reason = symbols.conflict(dim, shape[axis]!, name)
    if (reason !== null) return typeof dim === 'number' ? found() : `${found()} (${reason})`
  }
  return null
}

function check(
  graph: Graph,
  role: 'input' | 'output',
  name: string,
  value: Value,
  found: Tensor,
  symbols: Symbols
): void {
  const reason = mismatch(name, value, found, symbols)
  if (reason === null) return
  const what = `graph ${graph.name}, ${role} ${name}: expected ${format(value)}`
  throw new SwarmError('INVALID_ARGUMENT', `${what}, found ${reason}`)
}

/** Checks the runs of one graph, every token one: what can be known of the graph is looked up once. */
export class RunCheck {
  readonly #graph: Graph
  readonly #inputs: ReadonlyMap<string, Value>
  readonly #outputs: ReadonlyMap<string, Value>

  constructor(graph: Graph) {
    this.#graph = graph
    // plain symbols first, so that sums and products of them can be checked
    const isPlain = ({ shape }: Value): boolean => shape.every(dim => typeof dim === 'number' || isSymbol(dim))
    const [plain, others] = [graph.inputs.filter(isPlain), graph.inputs.filter(input => !isPlain(input))]
    this.#inputs = new Map([...plain, ...others].map(input => [input.name, input]))
    this.#outputs = new Map(graph.outputs.map(({ name, value }) => [name, value]))
  }

  /** Checks that exactly the graph's inputs are there, of the right types and sizes, one symbol of one size throughout. */
  check(feeds: Tensors, outputs: Tensors): void {
    const graph = this.#graph
    const symbols = new Symbols()
    for (const [name, input] of this.#inputs) {
      const feed = feeds[name]
      if (feed === undefined) {
        const found = Object.keys(feeds).join(', ') || 'nothing'
        const what = `graph ${graph.name}, input ${name}: expected ${format(input)}`
        throw new SwarmError('INVALID_ARGUMENT', `${what}, found only ${found}`)
      }
      check(graph, 'input', name, input, feed, symbols)
    }
    for (const name of Object.keys(feeds)) {
      if (this.#inputs.has(name)) continue
      const known = [...this.#inputs.keys()].join(', ')
      throw new SwarmError('INVALID_ARGUMENT', `graph ${graph.name}: expected inputs ${known}, found ${name}`)
    }
    for (const [name, given] of Object.entries(outputs)) {
      const value = this.#outputs.get(name)
      if (value === undefined) {
        const known = [...this.#outputs.keys()].join(', ')
        throw new SwarmError('INVALID_ARGUMENT', `graph ${graph.name}: expected outputs ${known}, found ${name}`)
      }
      check(graph, 'output', name, value, given, symbols)
    }
  }
}
