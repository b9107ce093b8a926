// A state dict as torch.save pickles it: names with tensors over storages. Knows nothing of files.
// Source: torch/_utils.py (_rebuild_*), torch/serialization.py (persistent_id) of PyTorch 2.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { type DType, dtypes, sizeOf } from '../../../common/tensor.ts'
import { checkTensorName, maxTensorRank } from '../tensor-info.ts'
import { type Constructor, unpickle } from './unpickler.ts'

/** One entry of a checkpoint's `data/` folder. */
interface Storage {
  readonly key: string
  /** of PyTorch: `DoubleStorage` */
  readonly type: string
  readonly dtype: DType | null
  /** elements */
  readonly size: number
}

/** A tensor over its storage. Sizes, strides and offset count elements. */
export interface StoredTensor {
  readonly storage: Storage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

class StorageType {
  readonly name: string
  readonly dtype: DType | null

  constructor(name: string, dtype: DType | null) {
    this.name = name
    this.dtype = dtype
  }
}

class Rebuilt {
  readonly tensor: StoredTensor

  constructor(tensor: StoredTensor) {
    this.tensor = tensor
  }
}

const storageTypes: Record<string, DType | null> = {
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  // not computed with
  ShortStorage: null,
  DoubleStorage: null,
  ComplexFloatStorage: null,
  ComplexDoubleStorage: null
}

function areSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0)
}

function rebuildTensor(file: string): Constructor {
  return (storage, offset, shape, strides, _requiresGrad, _hooks, metadata) => {
    // bits of views that are negated or conjugated
    if (metadata instanceof Map && metadata.size > 0) {
      const found = quoteForeign([...metadata.keys()])
      throw new SwarmError('UNSUPPORTED', `${file}: pickle: a tensor with metadata ${found} is not supported`)
    }
    const whole = storage instanceof Object && 'key' in storage && areSizes([offset])
    if (
      !whole ||
      !areSizes(shape) ||
      !areSizes(strides) ||
      shape.length !== strides.length ||
      shape.length > maxTensorRank
    ) {
      throw new SwarmError('BAD_CHECKPOINT', `${file}: pickle: a tensor without a storage, or with a bad shape`)
    }
    return new Rebuilt({ storage: storage as Storage, offset: offset as number, shape, strides })
  }
}

/** Empty, or from a list of pairs. */
function orderedDict(file: string): Constructor {
  return (pairs = []) => {
    if (Array.isArray(pairs) && pairs.every(pair => Array.isArray(pair) && pair.length === 2)) return new Map(pairs)
    throw new SwarmError('BAD_CHECKPOINT', `${file}: pickle: an OrderedDict that is not made of pairs`)
  }
}

function rebuildStorage(file: string) {
  return (id: unknown): Storage => {
    const [kind, type, key, , size] = Array.isArray(id) ? id : []
    if (kind !== 'storage' || !(type instanceof StorageType) || typeof key !== 'string' || !areSizes([size])) {
      throw new SwarmError('BAD_CHECKPOINT', `${file}: pickle: a persistent id that is no storage`)
    }
    return { key, type: type.name, dtype: type.dtype, size: size as number }
  }
}

/** Row-major strides of a shape. */
function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= shape[axis]!
  }
  return strides
}

/** Whether a tensor's elements follow each other; axes of one element have no say. */
export function isDense({ shape, strides }: StoredTensor): boolean {
  const dense = denseStrides(shape)
  return sizeOf(shape) === 0 || shape.every((size, axis) => size === 1 || strides[axis] === dense[axis])
}

/** Elements of the storage from the tensor's first to behind its last. */
export function elementsSpanned({ shape, strides }: StoredTensor): number {
  return sizeOf(shape) === 0 ? 0 : shape.reduce((last, size, axis) => last + (size - 1) * strides[axis]!, 1)
}

/** Bytes of an element in a storage that is computed with. */
export function elementBytes(dtype: DType): number {
  return dtypes[dtype].bytes
}

/** Names of the dictionary in a dictionary that training scripts put their weights under. */
const wrappers = ['state_dict', 'model', 'module']

/**
 * Tensors by name of a state dict, or of one that lies under `state_dict`, `model` or `module`; anything else in it is left
 * out. Throws BAD_CHECKPOINT for pickles that are damaged or name anything but tensors, their storages and dictionaries.
 */
export function readStateDict(pickle: Uint8Array, file: string): ReadonlyMap<string, StoredTensor> {
  const globals = new Map<string, unknown>([
    ['collections.OrderedDict', orderedDict(file)],
    ['torch._utils._rebuild_tensor_v2', rebuildTensor(file)],
    ['torch._utils._rebuild_parameter', (tensor: unknown) => tensor],
    ['torch.Size', (sizes: unknown) => sizes]
  ])
  for (const [name, dtype] of Object.entries(storageTypes)) globals.set(`torch.${name}`, new StorageType(name, dtype))
  let value = unpickle(pickle, { file, globals, persistent: rebuildStorage(file) })
  for (const wrapper of wrappers) {
    const inner = value instanceof Map ? value.get(wrapper) : undefined
    if (inner instanceof Map) value = inner
  }
  if (!(value instanceof Map)) throw new SwarmError('BAD_CHECKPOINT', `${file}: pickle: expected a state dict`)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, entry] of value) {
    if (typeof name !== 'string' || !(entry instanceof Rebuilt)) continue
    checkTensorName(name, file)
    tensors.set(name, entry.tensor)
  }
  return tensors
}
