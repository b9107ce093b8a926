// LoRA (Hu et al. 2021): a linear module's output gets `scaling * B A x` added. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { type DataOf, tensor } from '../../../common/tensor.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { checkClientDropout, clientDropoutCheck, targetPort } from '../client-ports.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { clientModulesOf, resolveTargets, targetNames } from '../targets.ts'
import { trainedBiases } from './biases.ts'
import { type LoraSettings, ranksOf, writeLoraConfig } from './config.ts'
import { initializeA, initializeB } from './initialize.ts'
import { withParameters } from './parameter-targets.ts'
import { parameterAdapters } from './parameters.ts'

/** The two matrices of one module and the names of the ports that they fill. */
interface Adapter {
  readonly a: Parameter
  readonly b: Parameter
  readonly portA: string
  readonly portB: string
  readonly scaling: number
  /** outside the blocks */
  readonly onClient: boolean
}

/** The product of every element and `factor`. */
function scaled(values: DataOf<'float32'>, factor: number): DataOf<'float32'> {
  return values.map(value => value * factor)
}

/**
 * A `[r, in]` and B `[out, r]` for every module that the settings choose, and for every parameter. The blocks know no scaling: it is multiplied
 * onto B as it leaves, and onto B's gradient as it comes back.
 */
export async function createLora(
  given: LoraSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<LoraSettings>> {
  const settings = withParameters(given, target)
  const { initLoraWeights } = settings
  const { seed, initialize } = options
  if (initialize && (initLoraWeights === 'eva' || initLoraWeights === 'mica')) {
    const needs = initLoraWeights === 'eva' ? 'inputs' : 'singular vectors'
    throw new SwarmError(
      'UNSUPPORTED',
      `initLoraWeights: '${initLoraWeights}' needs the ${needs} of the modules, which servers do not provide ` +
        '(begin the adapter with PEFT and load it)'
    )
  }
  const targets = settings.targetModules.length === 0 ? [] : resolveTargets(settings, target, initialize)
  const adapters = targets.map((each): Adapter => {
    const { block, module, path, stream } = each
    const { inFeatures, outFeatures } = module
    const { r, scaling } = ranksOf(settings, path)
    if (initialize && initLoraWeights === 'orthogonal' && r % 2 !== 0) {
      throw new SwarmError('INVALID_ARGUMENT', `initLoraWeights: 'orthogonal' needs an even rank, found ${r} (${path})`)
    }
    const values = { r, initLoraWeights }
    const a = initialize ? initializeA(values, inFeatures, seed, ...stream) : undefined
    const b = initialize ? initializeB(values, outFeatures, seed, ...stream) : undefined
    return {
      a: parameter(`base_model.model.${path}.lora_A.weight`, [r, inFeatures], a),
      b: parameter(`base_model.model.${path}.lora_B.weight`, [outFeatures, r], b),
      scaling,
      onClient: block === null,
      portA: targetPort(each, 'A'),
      portB: targetPort(each, 'B')
    }
  })
  const wholes = parameterAdapters(settings, target, options)
  const biases = await trainedBiases(settings.bias, targets, target, options)
  const names = targetNames(settings, target)
  // as PEFT sets it over Conv1D; how A and B lie does not depend on it
  const fanInFanOut = targets.length > 0 && targets.every(({ module }) => module.transposed)

  const clientModules = clientModulesOf(targets)
  if (initialize) checkClientDropout(settings.loraDropout, clientModules)
  const fill = (onClient: boolean): PortTensors => {
    const ports: Record<string, PortTensors[string]> = {}
    for (const { a, b, portA, portB, scaling, onClient: isOnClient } of adapters) {
      if (isOnClient !== onClient) continue
      ports[portA] = tensor('float32', a.shape, a.data)
      ports[portB] = tensor('float32', b.shape, scaled(b.data, scaling))
    }
    return ports
  }

  const method: TuningMethod<LoraSettings> = {
    config: settings,
    parameters: [...adapters.flatMap(({ a, b }) => [a, b]), ...wholes.parameters, ...biases.parameters],
    // B stays at the singular vectors that it began as, as in PEFT
    frozen: initLoraWeights === 'mica' ? adapters.map(({ b }) => b) : undefined,
    dropout: settings.loraDropout,
    modulesToSave: settings.modulesToSave,
    clientBiases: settings.bias === 'all',
    tiesWeights: settings.ensureWeightTying,
    virtualTokens: 0,
    begin: clientDropoutCheck(settings.loraDropout, clientModules, () => method),
    ports: () => ({ ...biases.ports(), ...wholes.ports(), ...fill(false) }),
    clientModules,
    clientPorts: () => fill(true),
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const { a, b, portA, portB, scaling } of adapters) {
        const gradientA = gradients[portA]
        const gradientB = gradients[portB]
        if (gradientA && a.requiresGrad) addGradient(a, gradientA.data as Float32Array)
        if (gradientB && b.requiresGrad) addGradient(b, gradientB.data as Float32Array, scaling)
      }
      wholes.accumulate(gradients)
      biases.accumulate(gradients)
    },
    accumulatePrompt() {},
    fromSaved: tensors => wholes.fromSaved(tensors),
    describe: () => writeLoraConfig(settings, names, fanInFanOut)
  }
  return method
}
