// Tensors of a checkpoint as values of a graph, by their path in a block or in the model, with the layers that are made of them.
import { SwarmError } from '../../common/errors.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { ExpectedTensor, LinearModule } from '../family.ts'
import { matrixSizes, type Precision, quantizationOf } from '../quantize/precision.ts'
import { gainOf, linear, type QuantizedWeight, quantizedWeight } from './linear.ts'
import type { BlockPorts } from './ports.ts'

/** How a tensor enters a graph: as a weight of a file, or as an input. */
export type Bind = (name: string, shape: readonly number[]) => Value

export interface NormOptions {
  readonly epsilon: number
  /** added to the scale: Gemma keeps it as its distance from 1 */
  readonly offset?: number
}

export class TensorScope {
  readonly g: GraphBuilder
  readonly #prefix: string
  readonly #shapes: ReadonlyMap<string, readonly number[]>
  readonly #bind: Bind

  /** The name and shape of a tensor in the family's list, if it is there. */
  protected expected(path: string): ExpectedTensor | undefined {
    const name = this.#prefix + path
    const shape = this.#shapes.get(name)
    return shape && { name, shape }
  }

  /** @param prefix of the paths that are asked for: `model.layers.3.` */
  constructor(g: GraphBuilder, tensors: readonly ExpectedTensor[], prefix: string, bind: Bind) {
    this.g = g
    this.#prefix = prefix
    this.#shapes = new Map(tensors.map(({ name, shape }) => [name, shape]))
    this.#bind = bind
  }

  /** The tensor if the model has it. */
  optional(path: string): Value | undefined {
    const expected = this.expected(path)
    return expected && this.#bind(expected.name, expected.shape)
  }

  /** The tensor. Throws INTERNAL where the family's list of tensors lacks it. */
  tensor(path: string): Value {
    const value = this.optional(path)
    if (value === undefined) throw new SwarmError('INTERNAL', `no tensor '${this.#prefix}${path}' in the family's list`)
    return value
  }

  /** The matrix of a linear module, in whatever precision it is held. */
  matrix(path: string): Value | QuantizedWeight {
    return this.tensor(`${path}.weight`)
  }

  /** x times a matrix of the model, without a port. */
  project(x: Value, path: string): Value {
    return linear(this.g, x, { weight: this.matrix(path), bias: this.optional(`${path}.bias`) })
  }

  /** Norm with mean, scale and, where the model has one, bias over the last axis. */
  layerNorm(x: Value, path: string, { epsilon }: NormOptions): Value {
    const scale = this.tensor(`${path}.weight`)
    const bias = this.optional(`${path}.bias`) ?? this.#zeros(scale.shape[0] as number)
    return this.g.LayerNormalization(x, scale, bias, { epsilon })
  }

  #zeros(size: number): Value {
    return this.g.constant({ dtype: 'float32', shape: [size], data: new Float32Array(size) })
  }

  /** Norm by the root mean square over the last axis. */
  rmsNorm(x: Value, path: string, { epsilon, offset = 0 }: NormOptions): Value {
    const weight = this.tensor(`${path}.weight`)
    const scale = offset === 0 ? weight : this.g.Add(weight, this.g.constant(offset))
    return this.g.SimplifiedLayerNormalization(x, scale, { epsilon })
  }

  /** The same norm for each head of x [batch, seq, heads * headDim]. */
  headNorm(x: Value, path: string, heads: number, options: NormOptions): Value {
    const width = x.shape[2] as number
    const split = this.g.Reshape(x, ['batch', 'seq', heads, width / heads])
    return this.g.Reshape(this.rmsNorm(split, path, options), ['batch', 'seq', width])
  }
}

/** What a family's description of a block works with. */
export class BlockScope extends TensorScope {
  readonly #shared: ReadonlyMap<string, ExpectedTensor>
  /** its number in the model */
  readonly block: number
  readonly #modules: ReadonlyMap<string, LinearModule>
  readonly #ports: Pick<BlockPorts, 'modules' | 'bias' | 'norm'>
  readonly #precision: Precision
  readonly #packed: boolean

  constructor(
    g: GraphBuilder,
    tensors: readonly ExpectedTensor[],
    init: {
      readonly block: number
      readonly prefix: string
      readonly modules: readonly LinearModule[]
      readonly ports: Pick<BlockPorts, 'modules' | 'bias' | 'norm'>
      readonly precision: Precision
      /** see QuantizedWeight */
      readonly packed: boolean
    }
  ) {
    super(g, tensors, init.prefix, (name, shape) => g.weight(name, 'float32', shape))
    this.block = init.block
    this.#shared = new Map(tensors.map(tensor => [tensor.name, tensor]))
    this.#modules = new Map(init.modules.map(module => [module.name, module]))
    this.#ports = init.ports
    this.#precision = init.precision
    this.#packed = init.packed
  }

  /** A bias, or the weight of a norm, with what its port adds to it; a linear module without a bias has the port's alone. */
  override optional(path: string): Value | undefined {
    const value = super.optional(path)
    const dot = path.lastIndexOf('.')
    const [module, part] = [path.slice(0, dot), path.slice(dot + 1)]
    const added =
      part === 'bias' ? this.#ports.bias.get(module) : part === 'weight' ? this.#ports.norm.get(module) : undefined
    if (value === undefined || added === undefined) return value ?? added
    return this.g.Add(value, added)
  }

  /** A tensor that all blocks of the stack use, by its whole name. */
  shared(name: string): Value {
    const { shape } = this.#shared.get(name)!
    return this.g.weight(name, 'float32', shape)
  }

  override matrix(path: string): Value | QuantizedWeight {
    const expected = this.expected(`${path}.weight`)
    const module = this.#modules.get(path)
    const sizes = module && expected && matrixSizes(expected, module.transposed)
    const quantization = sizes && quantizationOf(this.#precision, sizes, module)
    if (!expected || !sizes || !quantization) return super.matrix(path)
    return quantizedWeight(this.g, expected.name, { sizes, ...quantization, packed: this.#packed })
  }

  /** A magnitude divided by the norms of the changed weight's rows, [out]; undefined where the module has none. */
  gain(name: string): Value | undefined {
    const { transposed } = this.#modules.get(name)!
    const { lora, base } = this.#ports.modules.get(name) ?? {}
    return lora && gainOf(this.g, { weight: this.matrix(name), transposed }, lora, base)
  }

  /**
   * A linear module of the block with its bias, if it has one, and those of its ports that are filled. `dropped` false: x is not the
   * sequence, so that dropout's masks, which are as long as the sequence, do not fit it.
   */
  linear(x: Value, name: string, { dropped = true }: { readonly dropped?: boolean } = {}): Value {
    const weight = this.matrix(name)
    const { transposed } = this.#modules.get(name)!
    const bias = this.optional(`${name}.bias`)
    const ports = this.#ports.modules.get(name)
    const lora = ports?.lora
    const own = dropped || lora === undefined ? ports : { ...ports, lora: { ...lora, mask: undefined } }
    return linear(this.g, x, { weight, bias, transposed }, own)
  }
}
