// What the configurations of encoders share: options that make another model of one.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import { type RawConfig, readFlag } from './config.ts'

/** Throws UNSUPPORTED for a field whose value the graphs do not do. @param why what is expected, where a reader can act on it */
export function refuseField(field: string, value: unknown, why?: string): never {
  const reason = why === undefined ? '' : `: ${why}`
  throw new SwarmError('UNSUPPORTED', `config.json: ${field} ${quoteForeign(value)} is not supported${reason}`)
}

/** Throws UNSUPPORTED where an encoder's configuration asks for a decoder, or for positions or heads that its graphs do not do. */
export function refuseDecoder(raw: RawConfig): void {
  for (const field of ['is_decoder', 'add_cross_attention', 'is_encoder_decoder']) {
    if (readFlag(raw, field, false)) refuseField(field, true, 'this build runs the model as an encoder only')
  }
  const kind = raw.position_embedding_type ?? 'absolute'
  if (kind !== 'absolute')
    refuseField('position_embedding_type', kind, "expected 'absolute' (transformers 5 has no other)")
  const pruned = raw.pruned_heads
  if (typeof pruned === 'object' && pruned !== null && Object.keys(pruned).length > 0) {
    refuseField('pruned_heads', pruned, 'every block has all of its heads here')
  }
}
