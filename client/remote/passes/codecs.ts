// Codecs of hidden states and their gradients. Trained tensors and their gradients are never encoded.
import { SwarmError } from '../../../common/errors.ts'
import { type Codec, codecNames } from '../../../proto/frame.ts'

/** How hidden states and gradients travel. */
export interface Codecs {
  /** of hidden states in forward passes, there and back */
  readonly activations: Codec
  /** of the gradients of hidden states, there and back */
  readonly gradients: Codec
  /** codec of hidden states in generations; default: `activations` if set, else fp16 */
  readonly generation: Codec
}

/** One codec for all, or one for each kind. Default fp32, for generations fp16. */
export type CodecOption = Codec | Partial<Codecs>

/** Throws INVALID_ARGUMENT for a name that is no codec. */
export function resolveCodecs(option: CodecOption = {}): Codecs {
  const given: Partial<Codecs> = typeof option === 'string' ? { activations: option, gradients: option } : option
  const { activations = 'fp32', gradients = 'fp32', generation = given.activations ?? 'fp16' } = given
  const codecs = { activations, gradients, generation }
  for (const [name, codec] of Object.entries(codecs)) {
    if (!codecNames.includes(codec)) {
      throw new SwarmError('INVALID_ARGUMENT', `codec of ${name}: expected ${codecNames.join(', ')}, found ${codec}`)
    }
  }
  return codecs
}
