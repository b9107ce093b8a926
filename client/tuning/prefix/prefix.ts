// Prefix tuning (Li and Liang 2021; without projection P-tuning v2, Liu et al. 2021): trained keys and values before every
// block's sequence. Knows no server and no optimizer.

import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { rangeLength } from '../../../common/range.ts'
import { sliceColumns } from '../../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../../common/tensor.ts'
import { addGradient, parameter } from '../../local/parameter.ts'
import { Encoder, encodedBy, normalValues } from '../encoder.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { type PrefixTuningSettings, writePrefixTuningConfig } from './config.ts'
import { projectionGraph, projectionParameters } from './projection.ts'

/** Where keys and values lie in a row of `prompt_embeddings`: key and value of place 0, of place 1, … */
interface Layout {
  readonly tokens: number
  /** keys and values in a row */
  readonly places: number
  /** the place of each block that has a prefix; several may have one */
  readonly blocks: readonly (readonly [block: number, place: number])[]
  readonly heads: number
  readonly headDim: number
}

/** Calls back with every port and where in a row of the vectors its part begins. */
function eachPort({ blocks, heads, headDim }: Layout, visit: (name: string, start: number) => void): void {
  for (const [block, place] of blocks) {
    for (const [index, part] of (['key', 'value'] as const).entries()) {
      visit(`blocks.${block}.prefix.${part}`, (2 * place + index) * heads * headDim)
    }
  }
}

/**
 * Which blocks have a prefix, and at which place. PEFT cuts what it keeps for both submodules of an encoder-decoder model into four parts a
 * block and uses the first two: block i of the decoder has place 2i, counted around (peft/peft_model.py, get_prompt). Throws
 * INVALID_ARGUMENT for a stack that the model lacks, UNSUPPORTED for what PEFT has no keys and values for.
 */
function placesOf(
  { prefixStack }: Pick<PrefixTuningSettings, 'prefixStack'>,
  target: TuningTarget
): Pick<Layout, 'places' | 'blocks'> {
  const { numBlocks, encoder, decoder } = target
  const whole = { first: 0, end: numBlocks }
  const isBoth = encoder !== undefined && decoder !== undefined
  if (!isBoth && prefixStack !== undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'prefixStack: expected none for a model of one stack')
  }
  const ranges = !isBoth
    ? [encoder ?? decoder ?? whole]
    : prefixStack === 'both'
      ? [encoder, decoder]
      : [prefixStack === 'encoder' ? encoder : decoder]
  const blocks = ranges.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, index) => first + index))
  if (!isBoth || prefixStack === 'encoder' || prefixStack === 'both') {
    return { places: blocks.length, blocks: blocks.map((block, place) => [block, place]) }
  }
  const places = rangeLength(encoder)
  if (blocks.length > places) {
    throw new SwarmError(
      'UNSUPPORTED',
      `prefix tuning: PEFT keeps ${places} keys and values, as many as the encoder has blocks, for the decoder's ${blocks.length} (set prefixStack to 'both')`
    )
  }
  return { places, blocks: blocks.map((block, index) => [block, (2 * index) % places]) }
}

/** `[tokens, blocks * 2 * heads * headDim]` to a tensor `[tokens, heads, headDim]` for each port */
function split(vectors: Float32Tensor, layout: Layout): PortTensors {
  const ports: Record<string, Float32Tensor> = {}
  const { tokens, heads, headDim } = layout
  const size = heads * headDim
  eachPort(layout, (name, start) => {
    ports[name] = tensor('float32', [tokens, heads, headDim], sliceColumns(vectors, start, size))
  })
  return ports
}

/** Adds rows of `size` numbers to as many columns of a matrix. */
function addColumns({ shape, data }: Float32Tensor, start: number, values: Float32Array, size: number): void {
  const width = shape[1]!
  for (const [index, value] of values.entries())
    data[Math.floor(index / size) * width + start + (index % size)]! += value
}

/** The gradients of ports, combined like the vectors; null if there are none */
function join(gradients: Readonly<Record<string, Tensor>>, layout: Layout): Float32Tensor | null {
  const { tokens, places, heads, headDim } = layout
  const size = heads * headDim
  const joined = tensor('float32', [tokens, places * 2 * size])
  let found = false
  eachPort(layout, (name, start) => {
    const gradient = gradients[name]
    if (gradient === undefined) return
    found = true
    addColumns(joined, start, gradient.data as Float32Array, size)
  })
  return found ? joined : null
}

const promptName = 'prompt_embeddings'

/** Every head `repeats` times, one after the other, as transformers repeats keys and values for groups of query heads. */
function repeatHeads(tensors: PortTensors, repeats: number, headDim: number): PortTensors {
  const { shape, data } = tensors[promptName]!
  const wide = tensor('float32', [shape[0]!, shape[1]! * repeats])
  for (let at = 0; at < data.length; at += headDim) {
    const head = data.subarray(at, at + headDim)
    for (let copy = 0; copy < repeats; copy++) wide.data.set(head, at * repeats + copy * headDim)
  }
  return { [promptName]: wide }
}

interface HeadSizes {
  readonly repeats: number
  readonly headDim: number
  /** numbers of a token without the repetition */
  readonly outputs: number
}

/**
 * The first head of each group. Throws UNSUPPORTED where heads of a group differ: PEFT trains a prefix for every query head
 * there, and blocks here keep one for each group.
 */
function mergeHeads(
  tensors: Readonly<Record<string, Tensor>>,
  { repeats, headDim, outputs }: HeadSizes,
  path: string
): Readonly<Record<string, Tensor>> {
  const found = tensors[promptName]
  if (found?.shape.length !== 2 || found.shape[1] !== outputs * repeats) return tensors
  const narrow = { ...found, shape: [found.shape[0]!, outputs], data: found.data.slice(0, found.data.length / repeats) }
  for (let at = 0; at < narrow.data.length; at += headDim) {
    for (let offset = 0; offset < repeats * headDim; offset++) {
      const value = found.data[at * repeats + offset]!
      const first = found.data[at * repeats + (offset % headDim)]!
      if (value !== first) {
        throw new SwarmError(
          'UNSUPPORTED',
          `${path}: tensor '${promptName}': query heads that share keys and values have prefixes of their own, as PEFT trains ` +
            'them for this architecture; blocks here keep one for each group (train the prefix here, or use another method)'
        )
      }
      if (offset < headDim) narrow.data[at + offset] = first as never
    }
  }
  return { ...tensors, [promptName]: narrow as Tensor }
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
  if (keyValue === undefined) throw new SwarmError('INTERNAL', 'prefix tuning: the size of keys and values is unknown')
  const { numVirtualTokens: tokens, prefixProjection, encoderHiddenSize, initWeights } = settings
  const { places, blocks } = placesOf(settings, target)
  const isInDecoder = settings.prefixStack !== 'encoder'
  const { heads, headDim, cachedHeads = heads } = keyValue
  const layout = { tokens, places, blocks, heads, headDim }
  const repeats = cachedHeads / heads
  const width = heads * headDim
  const outputs = places * 2 * width
  const passOver = (values: Float32Tensor, accumulate: (gradient: Float32Tensor) => void) => ({
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
    modulesToSave: settings.modulesToSave,
    virtualTokens: 0,
    prefixTokens: isInDecoder ? tokens : 0,
    describe: () => writePrefixTuningConfig(settings, target, places, keyValue),
    fromSaved: (tensors: Readonly<Record<string, Tensor>>, path: string) =>
      repeats === 1 ? tensors : mergeHeads(tensors, { repeats, headDim, outputs }, path)
  }
  const saving = (saved: () => Promise<PortTensors>) =>
    repeats === 1 ? {} : { saved: async () => repeatHeads(await saved(), repeats, headDim) }

  if (!prefixProjection || !options.initialize) {
    const random = createRandom(options.seed)
    const isRandom = options.initialize && initWeights !== 'zero'
    const values = isRandom ? normalValues(tokens * outputs, random) : undefined
    const prompt = parameter(promptName, [tokens, outputs], values)
    const accumulate = ({ data }: Float32Tensor): void => {
      if (prompt.requiresGrad) addGradient(prompt, data)
    }
    const own = async (): Promise<PortTensors> => ({ [promptName]: tensor('float32', prompt.shape, prompt.data) })
    const pass = passOver(tensor('float32', prompt.shape, prompt.data), accumulate)
    return { ...common, parameters: [prompt], ...pass, ...saving(own) }
  }

  const sizes = { tokens, width, hidden: encoderHiddenSize ?? width, outputs }
  const parameters = projectionParameters(sizes, initWeights === 'zero', options.seed)
  const encoded = encodedBy(new Encoder(projectionGraph(sizes), parameters), passOver)
  return { ...common, parameters, ...encoded, ...saving(encoded.saved) }
}
