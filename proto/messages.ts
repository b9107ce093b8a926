// The messages in the shape our code uses: a discriminated union with every field present. The fields themselves are
// derived from the types generated from swarmtune.proto, so that neither is kept by hand.
import { SwarmError } from '../common/errors.ts'
import type { Float32Tensor, Tensor } from '../common/tensor.ts'
import type { Codec } from './codec.ts'
import { swarmtune } from './gen/swarmtune.js'

const wire = swarmtune.v1
type Wire = swarmtune.v1.Frame.$Properties

/** A field as it is after decoding: scalars have their default, messages that are absent are null. */
type Field<V> = V extends string | number | boolean | Uint8Array
  ? V
  : V extends readonly (infer E)[]
    ? readonly Field<E>[]
    : Fields<V> | null

/** fields that release 0.1.0 did not have: absent means their default */
type Later = 'portsHash'

/** All fields of a message, present but for later ones. Numbers of 64 bits are numbers up to 2^53. */
export type Fields<M> = {
  readonly [K in keyof M as K extends `$${string}` | Later ? never : K]-?: K extends 'codec'
    ? Codec
    : Field<NonNullable<M[K]>>
} & { readonly [K in keyof M as K extends Later ? K : never]?: Field<NonNullable<M[K]>> }

export type BodyKind = NonNullable<Wire['body']>

/** One kind of body: `BodyOf<'forwardRequest'>` is `{ kind: 'forwardRequest', span, keepResiduals, dropout }`. */
export type BodyOf<K extends BodyKind> = { readonly kind: K } & Fields<NonNullable<Wire[K]>>

/** What a frame says: switch on `kind`. */
export type FrameBody = { [K in BodyKind]: BodyOf<K> }[BodyKind]

/** What every request to compute says: model, half-open range of blocks, deadline, codec of the answer. */
export type Span = Fields<swarmtune.v1.Span.$Properties>
export type Dropout = Fields<swarmtune.v1.Dropout.$Properties>

/** Element types that travel. */
export type WireDType = 'float32' | 'int64' | 'int32'

/** Tensors by name, as in the .proto's comments on each message. */
export interface NamedTensors {
  readonly [name: string]: Float32Tensor | Tensor<'int64'> | Tensor<'int32'>
}

/** A frame: what it says, and the tensors that come with it. */
export interface Message<K extends BodyKind = BodyKind> {
  readonly body: { [B in K]: BodyOf<B> }[K]
  readonly tensors: NamedTensors
}

export const wireCodecs = {
  fp32: wire.Codec.RAW,
  fp16: wire.Codec.FP16,
  bf16: wire.Codec.BF16,
  int8: wire.Codec.INT8
} as const satisfies Record<Codec, swarmtune.v1.Codec>

export const wireTypes = {
  float32: wire.DataType.FLOAT32,
  int64: wire.DataType.INT64,
  int32: wire.DataType.INT32
} as const satisfies Record<WireDType, swarmtune.v1.DataType>

/** The key whose value is `value`, or undefined. */
export function keyOf<K extends string>(table: Readonly<Record<K, number>>, value: unknown): K | undefined {
  return (Object.keys(table) as K[]).find(key => table[key] === value)
}

/** The body as fields of the generated `Frame`. */
export function bodyToWire(body: FrameBody): Wire {
  const { kind, ...fields } = body
  const span = 'span' in fields && fields.span ? { ...fields.span, codec: wireCodecs[fields.span.codec] } : undefined
  return { [kind]: span ? { ...fields, span } : fields }
}

/** Decoded fields with defaults for what is absent. Throws BAD_FRAME on a codec or number that we cannot hold. */
function present(value: unknown, path: string): unknown {
  if (typeof value === 'bigint') {
    if (value > Number.MAX_SAFE_INTEGER) throw new SwarmError('BAD_FRAME', `${path}: ${value} is above 2^53 - 1`)
    return Number(value)
  }
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map((entry, i) => present(entry, `${path}[${i}]`))
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (key !== 'codec') return [key, present(entry, `${path}.${key}`)]
      const codec = keyOf(wireCodecs, entry)
      if (codec === undefined) throw new SwarmError('BAD_FRAME', `${path}.codec: unknown codec ${entry}`)
      return [key, codec]
    })
  )
}

/** What a decoded `Frame` says. Throws BAD_FRAME where it says nothing that this version knows. */
export function bodyFromWire(frame: swarmtune.v1.Frame): FrameBody {
  const plain = wire.Frame.toObject(frame, { longs: BigInt, defaults: true, oneofs: true })
  const kind = frame.body
  if (kind === undefined) throw new SwarmError('BAD_FRAME', 'frame without a body, or with one of a later version')
  return { kind, ...(present(plain[kind], kind) as object) } as FrameBody
}
