// P-tuning (Liu et al. 2021): embeddings before every input that an encoder makes while they are trained. Knows no server
// and no optimizer.
import { type Float32Tensor, tensor } from '../../../common/tensor.ts'
import { addGradient, parameter } from '../../local/parameter.ts'
import { Encoder, encodedBy } from '../encoder.ts'
import type { CreateOptions, TuningMethod, TuningTarget } from '../method.ts'
import { type PTuningSettings, writePTuningConfig } from './config.ts'
import {
  type PromptEncoderSizes,
  promptEncoderGraph,
  promptEncoderMasks,
  promptEncoderParameters
} from './prompt-encoder.ts'

/** The vectors before every row; the gradients of the rows of a batch add up, unless each row has vectors of its own. */
function passOver(values: Float32Tensor, accumulate: (gradient: Float32Tensor) => void) {
  return {
    ports: () => ({}),
    promptEmbeddings: () => values,
    accumulatePorts() {},
    accumulatePrompt({ data }: Float32Tensor) {
      const size = values.data.length
      for (let row = 0; row < data.length; row += size) {
        accumulate({ dtype: 'float32', shape: values.shape, data: data.subarray(row, row + size) })
      }
    }
  }
}

/** The encoder's parameters; of an adapter that was saved, which has none, `prompt_embeddings` `[tokens, hidden]`. */
export function createPTuning(
  settings: PTuningSettings,
  target: TuningTarget,
  { seed, initialize }: CreateOptions
): TuningMethod<PTuningSettings> {
  const { hiddenSize } = target
  const tokens = settings.numVirtualTokens
  const common = {
    config: settings,
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: tokens,
    describe: () => writePTuningConfig(settings, target)
  }
  if (!initialize) {
    const prompt = parameter('prompt_embeddings', [tokens, hiddenSize])
    const accumulate = ({ data }: Float32Tensor): void => {
      if (prompt.requiresGrad) addGradient(prompt, data)
    }
    return { ...common, parameters: [prompt], ...passOver(tensor('float32', prompt.shape, prompt.data), accumulate) }
  }
  const sizes: PromptEncoderSizes = {
    kind: settings.encoderReparameterizationType,
    tokens,
    width: hiddenSize,
    hidden: settings.encoderHiddenSize ?? hiddenSize,
    layers: settings.encoderNumLayers,
    dropout: settings.encoderDropout
  }
  const parameters = promptEncoderParameters(sizes, seed)
  const encoder = new Encoder(promptEncoderGraph(sizes), parameters)
  return { ...common, parameters, ...encodedBy(encoder, passOver, pass => promptEncoderMasks(sizes, pass)) }
}
