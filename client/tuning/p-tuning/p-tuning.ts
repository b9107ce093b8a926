// P-tuning (Liu et al. 2021): embeddings before every input that an encoder makes while they are trained. Knows no server
// and no optimizer.
import { type Float32Tensor, tensor } from '../../../common/tensor.ts'
import { addGradient, parameter } from '../../local/parameter.ts'
import { Encoder, encodedBy, type PassOver } from '../encoder.ts'
import type { CreateOptions, TuningMethod, TuningTarget } from '../method.ts'
import { keptTokens } from '../virtual-tokens.ts'
import { type PTuningSettings, writePTuningConfig } from './config.ts'
import {
  type PromptEncoderSizes,
  promptEncoderGraph,
  promptEncoderMasks,
  promptEncoderParameters
} from './prompt-encoder.ts'

/** The vectors before every row; the gradients of the rows of a batch add up, unless each row has vectors of its own. */
function passOver(used: number): PassOver {
  return (values, accumulate) => {
    const rows = values.shape.at(-2)!
    if (used === rows) {
      return {
        ports: () => ({}),
        promptEmbeddings: () => values,
        accumulatePorts() {},
        accumulatePrompt({ data }) {
          const size = values.data.length
          for (let row = 0; row < data.length; row += size) {
            accumulate({ dtype: 'float32', shape: values.shape, data: data.subarray(row, row + size) })
          }
        }
      }
    }
    // of vectors for encoder and decoder the encoder's; each of the batch has its own where dropout makes them differ
    const width = values.shape.at(-1)!
    const [own, size] = [used * width, rows * width]
    const sets = values.data.length / size
    const kept = new Float32Array(sets * own)
    for (let set = 0; set < sets; set++) kept.set(values.data.subarray(set * size, set * size + own), set * own)
    return {
      ports: () => ({}),
      promptEmbeddings: () => tensor('float32', values.shape.with(-2, used), kept),
      accumulatePorts() {},
      accumulatePrompt({ data }) {
        const sum = new Float32Array(values.data.length)
        for (let row = 0; row * own < data.length; row++) {
          const at = (row % sets) * size
          for (let index = 0; index < own; index++) sum[at + index]! += data[row * own + index]!
        }
        accumulate(tensor('float32', values.shape, sum))
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
  const { numVirtualTokens } = settings
  const tokens = keptTokens(numVirtualTokens, target)
  const over = passOver(numVirtualTokens)
  const common = {
    config: settings,
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: numVirtualTokens,
    describe: () => writePTuningConfig(settings, target)
  }
  if (!initialize) {
    const prompt = parameter('prompt_embeddings', [tokens, hiddenSize])
    const accumulate = ({ data }: Float32Tensor): void => {
      if (prompt.requiresGrad) addGradient(prompt, data)
    }
    return { ...common, parameters: [prompt], ...over(tensor('float32', prompt.shape, prompt.data), accumulate) }
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
  return { ...common, parameters, ...encodedBy(encoder, over, pass => promptEncoderMasks(sizes, pass)) }
}
