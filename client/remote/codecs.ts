// How hidden states and their gradients travel. What is trained, and its gradients, always travels as it is.
import { SwarmError } from '../../common/errors.ts'
import { type Codec, codecNames } from '../../proto/frame.ts'

/** forward and backward */
export interface Codecs {
  /** of hidden states, there and back */
  readonly activations: Codec
  /** of the gradients of hidden states, there and back */
  readonly gradients: Codec
}

/** One codec for both, or one for each; fp32 where nothing is said. */
export type CodecOption = Codec | Partial<Codecs>

/** Throws INVALID_ARGUMENT for a name that is no codec. */
export function resolveCodecs(option: CodecOption = 'fp32'): Codecs {
  const given = typeof option === 'string' ? { activations: option, gradients: option } : option
  const codecs = { activations: given.activations ?? 'fp32', gradients: given.gradients ?? 'fp32' } as const
  for (const [name, codec] of Object.entries(codecs)) {
    if (!codecNames.includes(codec)) {
      throw new SwarmError('INVALID_ARGUMENT', `codec of ${name}: expected ${codecNames.join(', ')}, found ${codec}`)
    }
  }
  return codecs
}
