// Fused attention operators of ONNX Runtime (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
import { type Call, reject, required, requiredFloat, type ValueType } from '../call.ts'
import type { GradientRule, Operator } from '../operator.ts'
import { sameShape } from '../shape.ts'

interface RotaryAttributes {
  readonly num_heads?: number
  /** leading numbers of each head that are rotated; all where left out */
  readonly rotary_embedding_dim?: number
}

/**
 * Inputs: x [batch, heads, seq, headDim] or, with num_heads, [batch, seq, heads * headDim]; positions int64 [batch, seq] or [1];
 * cos and sin [positions, half of what is rotated].
 */
function inferRotaryEmbedding(call: Call): ValueType[] {
  const [x, cos, sin] = [requiredFloat(call, 0), requiredFloat(call, 2), requiredFloat(call, 3)]
  if (required(call, 1).dtype !== 'int64') reject(call, 'int64 positions')
  if (cos.shape.length !== 2 || !sameShape(cos.shape, sin.shape)) reject(call, 'cos and sin [positions, headDim / 2]')
  const { num_heads: heads, rotary_embedding_dim: dims } = call.attributes as RotaryAttributes
  const width = x.shape.at(-1)!
  const fits = heads === undefined ? x.shape.length === 4 : x.shape.length === 3
  if (!fits) reject(call, heads === undefined ? 'four axes (or a number of heads)' : 'three axes')
  if (typeof width !== 'number' || cos.shape[1] !== (dims ?? width / (heads ?? 1)) / 2) {
    reject(call, `cos as wide as half of what is rotated (${dims ?? `${String(width)} / ${heads ?? 1}`} / 2)`)
  }
  return [x]
}

/** A rotation: its transpose turns the other way. */
const rotaryGradient: GradientRule = (g, { inputs: [, positions, cos, sin], attributes }, [grad]) => {
  const { num_heads: numHeads, rotary_embedding_dim: dims } = attributes as RotaryAttributes
  return [g.RotaryEmbedding(grad!, positions!, cos!, g.Neg(sin!), { numHeads, dims }), null, null, null]
}

/**
 * Inputs: query [batch, seq, heads * headDim], key and value [batch, seq, kvHeads * headDim], past key and value
 * [batch, kvHeads, capacity, headDim], seqlens_k int32 [batch], total_sequence_length int32 []; optional: cos and sin
 * [positions, headDim / 2], position ids int64 [batch, seq], attention bias [batch or 1, heads or 1, seq, total].
 */
function inferGroupQueryAttention(call: Call): ValueType[] {
  const [query, key, value] = [requiredFloat(call, 0), requiredFloat(call, 1), requiredFloat(call, 2)]
  const [pastKey, pastValue] = [requiredFloat(call, 3), requiredFloat(call, 4)]
  const { num_heads: heads, kv_num_heads: kvHeads } = call.attributes as { num_heads: number; kv_num_heads: number }
  if (pastKey.shape.length !== 4 || pastKey.shape[1] !== kvHeads || !sameShape(pastKey.shape, pastValue.shape)) {
    reject(call, `past key and value [batch, ${kvHeads}, capacity, headDim]`)
  }
  const headDim = pastKey.shape[3] as number
  const width = (x: { shape: ValueType['shape'] }) => (x.shape.length === 3 ? x.shape[2] : null)
  if (width(query) !== heads * headDim || width(key) !== kvHeads * headDim || !sameShape(key.shape, value.shape)) {
    reject(call, `query [batch, seq, ${heads} * ${headDim}], key and value [batch, seq, ${kvHeads} * ${headDim}]`)
  }
  if (required(call, 5).dtype !== 'int32' || required(call, 6).dtype !== 'int32') reject(call, 'int32 lengths')
  return [query, pastKey, pastValue]
}

export const attention = {
  RotaryEmbedding: {
    domain: 'com.microsoft',
    attributes: { num_heads: 'int', rotary_embedding_dim: 'int', interleaved: 'int' },
    infer: inferRotaryEmbedding,
    cheap: true,
    gradient: rotaryGradient
  },
  GroupQueryAttention: {
    domain: 'com.microsoft',
    attributes: {
      num_heads: 'int',
      kv_num_heads: 'int',
      scale: 'float',
      do_rotary: 'int',
      rotary_interleaved: 'int',
      local_window_size: 'int',
      softcap: 'float'
    },
    infer: inferGroupQueryAttention,
    gradient: null // decode only; training uses the same attention in operators that have rules
  }
} satisfies Record<string, Operator>
