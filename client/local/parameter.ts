// A trainable tensor on the client and its gradient. Knows no method that uses it and no optimizer that changes it.
import { SwarmError } from '../../common/errors.ts'
import { type DataOf, sizeOf } from '../../common/tensor.ts'

/** A tensor that can be trained, with its gradient. */
export interface Parameter {
  /** the name that PEFT gives the tensor in a saved adapter */
  readonly name: string
  /** a second name in PEFT's files: of a head that is trained as one with the embedding */
  readonly alias?: string
  /** dimensions of `data` */
  readonly shape: readonly number[]
  /** row-major; optimizers write into it */
  readonly data: DataOf<'float32'>
  /** sum of the gradients since the last `clearGradients`; null before the first */
  grad: Float32Array | null
  /** whether backward passes fill `grad` */
  requiresGrad: boolean
}

/** Zeros. Throws INVALID_ARGUMENT if there is not enough memory. */
function zeros(name: string, shape: readonly number[], size: number): DataOf<'float32'> {
  try {
    return new Float32Array(size)
  } catch (cause) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `parameter ${name} [${shape}]: not enough memory for ${size} numbers (are the rank and the virtual tokens right?)`,
      { cause }
    )
  }
}

/** A parameter over `data`, or of zeros without it. Throws INVALID_ARGUMENT where there is no memory for it. */
export function parameter(name: string, shape: readonly number[], data?: DataOf<'float32'>): Parameter {
  const size = sizeOf(shape)
  if (data !== undefined && data.length !== size) {
    throw new SwarmError('INTERNAL', `parameter ${name} [${shape}]: expected ${size} elements, found ${data.length}`)
  }
  return { name, shape, data: data ?? zeros(name, shape, size), grad: null, requiresGrad: true }
}

/** Adds `factor` times a gradient of the parameter's size to what is there. */
export function addGradient(parameter: Parameter, gradient: Float32Array, factor = 1): void {
  if (gradient.length !== parameter.data.length) {
    throw new SwarmError(
      'INTERNAL',
      `gradient of ${parameter.name} [${parameter.shape}]: expected ${parameter.data.length} elements, found ${gradient.length}`
    )
  }
  parameter.grad ??= new Float32Array(gradient.length)
  const { grad } = parameter
  for (let index = 0; index < grad.length; index++) grad[index]! += factor * gradient[index]!
}

/** Forgets the gradients, as torch's `zero_grad(set_to_none=True)`. */
export function clearGradients(parameters: Iterable<Parameter>): void {
  for (const parameter of parameters) parameter.grad = null
}
