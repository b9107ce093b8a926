// Prefix tuning (Li and Liang 2021; without projection P-tuning v2, Liu et al. 2021): trained keys and values before every
// block's sequence. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { type Tensor, tensor } from '../../../common/tensor.ts'
import { addGradient, parameter } from '../../parameter.ts'
import { Encoder, encodedBy, normalValues } from '../encoder.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { type PrefixTuningSettings, writePrefixTuningConfig } from './config.ts'
import { projectionGraph, projectionParameters } from './projection.ts'

type Floats = Tensor<'float32'>

/** Where keys and values lie in a row of `prompt_embeddings`: key and value of block 0, of block 1, … */
interface Layout {
  readonly tokens: number
  readonly numBlocks: number
  readonly heads: number
  readonly headDim: number
}

/** Calls back with every port and where in a row of the vectors its part begins. */
function eachPort({ numBlocks, heads, headDim }: Layout, visit: (name: string, start: number) => void): void {
  for (let block = 0; block < numBlocks; block++) {
    for (const [index, part] of (['key', 'value'] as const).entries()) {
      visit(`blocks.${block}.prefix.${part}`, (2 * block + index) * heads * headDim)
    }
  }
}

/** `[tokens, blocks * 2 * heads * headDim]` to a tensor `[tokens, heads, headDim]` for each port */
function split({ data, shape }: Floats, layout: Layout): PortTensors {
  const ports: Record<string, Floats> = {}
  const { tokens, heads, headDim } = layout
  const size = heads * headDim
  eachPort(layout, (name, start) => {
    const port = tensor('float32', [tokens, heads, headDim])
    for (let token = 0; token < tokens; token++) {
      const from = token * shape[1]! + start
      port.data.set(data.subarray(from, from + size), token * size)
    }
    ports[name] = port
  })
  return ports
}

/** The gradients of ports put together as the vectors are; null where there are none */
function join(gradients: Readonly<Record<string, Tensor>>, layout: Layout): Floats | null {
  const { tokens, numBlocks, heads, headDim } = layout
  const size = heads * headDim
  const joined = tensor('float32', [tokens, numBlocks * 2 * size])
  let found = false
  eachPort(layout, (name, start) => {
    const gradient = gradients[name]
    if (gradient === undefined) return
    found = true
    for (let token = 0; token < tokens; token++) {
      const row = (gradient.data as Float32Array).subarray(token * size, (token + 1) * size)
      joined.data.set(row, token * joined.shape[1]! + start)
    }
  })
  return found ? joined : null
}

/**
 * Without projection one parameter, `prompt_embeddings` `[tokens, blocks * 2 * heads * headDim]`; with it, the encoder's.
 * Only what the encoder gives is saved, so an adapter that was saved has none.
 */
export function createPrefix(
  settings: PrefixTuningSettings,
  target: TuningTarget,
  options: CreateOptions
): TuningMethod<PrefixTuningSettings> {
  const { keyValue } = target
  if (keyValue === undefined)
    throw new SwarmError('INTERNAL', 'prefix tuning: the size of keys and values is not known')
  const { numVirtualTokens: tokens, prefixProjection, encoderHiddenSize, initWeights } = settings
  const { numBlocks } = target
  const layout = { tokens, numBlocks, ...keyValue }
  const width = keyValue.heads * keyValue.headDim
  const outputs = numBlocks * 2 * width
  const passOver = (values: Floats, accumulate: (gradient: Floats) => void) => ({
    ports: () => split(values, layout),
    promptEmbeddings: () => null,
    accumulatePorts(gradients: Readonly<Record<string, Tensor>>) {
      const gradient = join(gradients, layout)
      if (gradient !== null) accumulate(gradient)
    },
    accumulatePrompt() {}
  })
  const common = {
    config: settings,
    dropout: 0,
    virtualTokens: 0,
    prefixTokens: tokens,
    describe: () => writePrefixTuningConfig(settings, target, keyValue)
  }

  if (!prefixProjection || !options.initialize) {
    const random = createRandom(options.seed)
    const isRandom = options.initialize && initWeights !== 'zero'
    const values = isRandom ? normalValues(tokens * outputs, random) : undefined
    const prompt = parameter('prompt_embeddings', [tokens, outputs], values)
    const accumulate = ({ data }: Floats): void => {
      if (prompt.requiresGrad) addGradient(prompt, data)
    }
    return { ...common, parameters: [prompt], ...passOver(tensor('float32', prompt.shape, prompt.data), accumulate) }
  }

  const sizes = { tokens, width, hidden: encoderHiddenSize ?? width, outputs }
  const parameters = projectionParameters(sizes, initWeights === 'zero', options.seed)
  return { ...common, parameters, ...encodedBy(new Encoder(projectionGraph(sizes), parameters), passOver) }
}
