// What the decoder of an encoder-decoder model reads while it learns: shift_tokens_right of Hugging Face transformers.
import { SwarmError } from '../../common/errors.ts'
import { type Tensor, tensor } from '../../common/tensor.ts'
import type { ModelConfig } from '../config/config.ts'
import { ignoredLabel } from './loss.ts'

/**
 * Labels int64 [batch, seq] one place to the right; ignored ones are padding. First comes `decoderStartTokenId`, or with
 * `startsWithLast` the last token of each row. Throws INVALID_ARGUMENT where the configuration does not name these tokens.
 */
export function decoderInputs(
  { decoderStartTokenId, padTokenId }: Pick<ModelConfig, 'decoderStartTokenId' | 'padTokenId'>,
  labels: Tensor<'int64'>,
  startsWithLast: boolean = false
): Tensor<'int64'> {
  const missing = (field: string): never => {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `labels: config.json has no ${field}, which a decoder that learns reads: add it`
    )
  }
  const pad = BigInt(padTokenId ?? missing('pad_token_id'))
  const start = startsWithLast ? null : BigInt(decoderStartTokenId ?? missing('decoder_start_token_id'))
  const [batch, seq] = labels.shape as [number, number]
  const inputs = tensor('int64', [batch, seq])
  for (let row = 0; row < batch; row++) {
    const tokens = labels.data.subarray(row * seq, (row + 1) * seq)
    const written = tokens.map(token => (token === BigInt(ignoredLabel) ? pad : token)) as BigInt64Array
    const count = written.reduce((sum, token) => sum + Number(token !== pad), 0)
    inputs.data.set(written.subarray(0, seq - 1), row * seq + 1)
    // a row of padding only begins with padding
    inputs.data[row * seq] = start ?? written[Math.max(count - 1, 0)]!
  }
  return inputs
}
