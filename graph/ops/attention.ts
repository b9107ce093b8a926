// Fused operators of ONNX Runtime for attention.
import { type Operator, reject, required } from '../operator.ts'

export const attention = {
  // inputs: x [batch, heads, seq, headDim] (or [batch, seq, heads*headDim] with num_heads), positions [batch, seq], cos, sin [max, headDim/2]
  RotaryEmbedding: {
    domain: 'com.microsoft',
    attributes: { num_heads: 'int', rotary_embedding_dim: 'int', interleaved: 'int' },
    infer: call => [{ dtype: required(call, 0).dtype, shape: required(call, 0).shape }],
    // a rotation: its transpose turns the other way
    gradient: (g, { inputs, attributes }, [grad]) => {
      const [, positions, cos, sin] = inputs.map(value => value!)
      return [
        g.RotaryEmbedding(grad!, positions!, cos!, g.Neg(sin!), {
          numHeads: attributes.num_heads as number | undefined
        }),
        null,
        null,
        null
      ]
    }
  },
  // inputs: query, key, value, past_key, past_value, seqlens_k, total_sequence_length, cos_cache, sin_cache, position_ids, attention_bias
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
    infer: call => {
      const [query, past] = [required(call, 0), required(call, 3)]
      if (past.shape.length !== 4) reject(call, 'past keys [batch, heads, capacity, head size]')
      return [
        { dtype: query.dtype, shape: query.shape },
        { dtype: past.dtype, shape: past.shape },
        { dtype: past.dtype, shape: past.shape }
      ]
    },
    gradient: null // decode only; training uses the same attention in operators that have rules
  }
} satisfies Record<string, Operator>
