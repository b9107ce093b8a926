// LN tuning (Zhao et al. 2023, arXiv 2312.11420): norms are trained whole. Those of blocks leave as what is added to them; those
// outside the blocks are the client's own. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { type DataOf, float32 } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import type { CreateOptions, TuningMethod, TuningTarget } from '../method.ts'
import { type Choice, chooseModules } from '../targets.ts'
import { type LnTuningSettings, writeLnTuningConfig } from './config.ts'

interface TrainedVector {
  readonly parameter: Parameter
  /** the model's own */
  readonly base: DataOf<'float32'>
  readonly port: string
}

/** Where PEFT keeps the copy of a norm that it trains. */
const copyName = 'ln_tuning_layers'

const isNorm = (target: TuningTarget, block: number, name: string): boolean =>
  target.blockNorms?.(block).some(norm => norm.name === name) ?? false

/** Everything that the settings may name: norms and linear modules of blocks, and modules outside them. */
function candidates(target: TuningTarget): Choice<{ block: number | null; name: string }>[] {
  const blocks = Array.from({ length: target.numBlocks }, (_, block) =>
    [...(target.blockNorms?.(block) ?? []), ...target.modulesOf(block)].map(({ name }) => ({
      path: target.moduleWeightName(block, name),
      block,
      name
    }))
  )
  const outside = (target.outsideModules ?? []).map(path => ({ path, block: null, name: path }))
  return [...outside, ...blocks.flat()]
}

/** Weight, and bias if there is one, of every norm that the settings choose, read from the checkpoint. */
export async function createLnTuning(
  settings: LnTuningSettings,
  target: TuningTarget,
  { initialize, signal }: CreateOptions
): Promise<TuningMethod<LnTuningSettings>> {
  const chosen = chooseModules(settings, candidates(target), initialize)
  const vectors: TrainedVector[] = []
  for (const { block, name, path } of chosen) {
    if (block === null) continue
    if (!isNorm(target, block, name)) {
      throw new SwarmError(
        'UNSUPPORTED',
        `LN_TUNING: targetModules: ${path} is no norm: servers hold the weights of linear modules, which are not trained whole (name norms only)`
      )
    }
    const read = async (part: 'weight' | 'bias', port: string): Promise<void> => {
      const reader = part === 'weight' ? target.readNorm : target.readBias
      if (reader === undefined) throw new SwarmError('INTERNAL', 'norms: the checkpoint cannot be read')
      const { data, shape } = await reader(block, name, { signal })
      const own = parameter(`base_model.model.${path}.${copyName}.${part}`, shape, data.slice())
      vectors.push({ parameter: own, base: data, port })
    }
    await read('weight', portName.norm(block, name))
    const hasBias = target.blockBiases?.(block).some(bias => bias.name === name)
    if (hasBias) await read('bias', portName.bias(block, name))
  }
  const whole = chosen.flatMap(({ block, path }) => (block === null ? [path] : []))
  return {
    config: settings,
    parameters: vectors.map(each => each.parameter),
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    wholeModules: whole,
    tensorName(name) {
      const dot = name.lastIndexOf('.')
      const path = name.slice(0, dot)
      return whole.includes(path) ? `base_model.model.${path}.${copyName}${name.slice(dot)}` : undefined
    },
    virtualTokens: 0,
    ports: () =>
      Object.fromEntries(
        vectors.map(({ parameter: { data, shape }, base, port }) => [
          port,
          float32(
            shape,
            data.map((value, index) => value - base[index]!)
          )
        ])
      ),
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const { parameter: trained, port } of vectors) {
        const gradient = gradients[port]
        if (gradient && trained.requiresGrad) addGradient(trained, gradient.data as Float32Array)
      }
    },
    accumulatePrompt() {},
    describe: () => writeLnTuningConfig(settings)
  }
}
