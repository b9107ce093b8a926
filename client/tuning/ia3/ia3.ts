// IA3 (Liu et al. 2022, arXiv 2205.05638): vectors that scale the output of a module, or the input of a feed-forward
// module. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { tensor } from '../../../common/tensor.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { targetPort } from '../client-ports.ts'
import { normalValues } from '../encoder.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { clientModulesOf, resolveTargets, targetNames } from '../targets.ts'
import { type Ia3Settings, isFeedforward, writeIa3Config } from './config.ts'

interface Vector {
  /** `[out, 1]`; of a feed-forward module `[1, in]` */
  readonly parameter: Parameter
  readonly port: string
  /** outside the blocks */
  readonly onClient: boolean
}

/** One vector for every module that the settings choose. */
export function createIa3(
  settings: Ia3Settings,
  target: TuningTarget,
  { seed, initialize }: CreateOptions
): TuningMethod<Ia3Settings> {
  const targets = resolveTargets(settings, target, initialize)
  const vectors = targets.map((each): Vector => {
    const { block, module, path, stream } = each
    const scalesInput = isFeedforward(settings, path)
    if (block === null && module.biased && !scalesInput) {
      throw new SwarmError(
        'UNSUPPORTED',
        `targetModules: ${path}: its output, bias included, would be scaled, but outside the blocks only weights change (name it in feedforwardModules too, or leave it out)`
      )
    }
    const size = scalesInput ? module.inFeatures : module.outFeatures
    const values = settings.initIa3Weights
      ? new Float32Array(size).fill(1)
      : normalValues(size, createRandom(seed, ...stream))
    return {
      parameter: parameter(`base_model.model.${path}.ia3_l`, scalesInput ? [1, size] : [size, 1], values),
      port: targetPort(each, scalesInput ? 'input' : 'output'),
      onClient: block === null
    }
  })
  const names = targetNames(settings, target)
  const fanInFanOut = targets.every(({ module }) => module.transposed)
  const fill = (onClient: boolean): PortTensors =>
    Object.fromEntries(
      vectors
        .filter(vector => vector.onClient === onClient)
        .map(({ parameter: { data }, port }) => [port, tensor('float32', [data.length], data)])
    )

  return {
    config: settings,
    parameters: vectors.map(vector => vector.parameter),
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: 0,
    ports: () => fill(false),
    clientModules: clientModulesOf(targets),
    clientPorts: () => fill(true),
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const { parameter: vector, port } of vectors) {
        const gradient = gradients[port]
        if (gradient && vector.requiresGrad) addGradient(vector, gradient.data as Float32Array)
      }
    },
    accumulatePrompt() {},
    describe: () => writeIa3Config(settings, names, fanInFanOut)
  }
}
