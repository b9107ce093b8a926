// Deep prompt tuning as Petals does it (arXiv 2209.01188, section 3.2): trained embeddings before every input, and trained
// vectors added to the hidden states of the same positions before every block. Knows no server and no optimizer.

import { createRandom } from '../../../common/random.ts'
import { sliceColumns, writeColumns } from '../../../common/rows.ts'
import { tensor } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { addGradient, parameter } from '../../local/parameter.ts'
import { normalValues } from '../encoder.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { layersOf, promptedBlocks } from '../virtual-tokens.ts'
import { type DeepPromptSettings, writeDeepPromptConfig } from './config.ts'

/**
 * `prompt_embeddings` `[tokens, hidden]`, and `intermediate_prompt_embeddings` `[tokens, blocks * hidden]`: in a row, the
 * vector of each block after the other.
 */
export function createDeepPrompt(
  settings: DeepPromptSettings,
  target: TuningTarget,
  { seed, initialize }: CreateOptions
): TuningMethod<DeepPromptSettings> {
  const { numVirtualTokens: tokens, initWeights } = settings
  const { hiddenSize, blockWidth: width = hiddenSize } = target
  const { first } = promptedBlocks(target)
  const numBlocks = layersOf(target)
  const random = (stream: number, size: number) =>
    initialize ? normalValues(size, createRandom(seed, stream)) : undefined
  const row = numBlocks * width
  const prompt = parameter('prompt_embeddings', [tokens, hiddenSize], random(0, tokens * hiddenSize))
  const deep = parameter(
    'intermediate_prompt_embeddings',
    [tokens, row],
    initWeights === 'zero' ? undefined : random(1, tokens * row)
  )
  const blocks = Array.from({ length: numBlocks }, (_, block) => ({ block, port: portName.prompt(first + block) }))

  return {
    config: settings,
    parameters: [prompt, deep],
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: tokens,
    ports(): PortTensors {
      return Object.fromEntries(
        blocks.map(({ block, port }) => [
          port,
          tensor('float32', [tokens, width], sliceColumns(deep, block * width, width))
        ])
      )
    },
    promptEmbeddings: () => tensor('float32', prompt.shape, prompt.data),
    accumulatePorts(gradients) {
      if (!deep.requiresGrad || !(blocks[0]!.port in gradients)) return
      const joined = new Float32Array(deep.data.length)
      for (const { block, port } of blocks) {
        writeColumns({ shape: deep.shape, data: joined }, block * width, gradients[port]!.data as Float32Array, width)
      }
      addGradient(deep, joined)
    },
    accumulatePrompt({ data }) {
      if (!prompt.requiresGrad) return
      const size = prompt.data.length
      for (let start = 0; start < data.length; start += size) addGradient(prompt, data.subarray(start, start + size))
    },
    describe: () => writeDeepPromptConfig(settings, target)
  }
}
