// LoRA (Hu et al. 2021): a linear module's output gets `scaling * B A x` added. Knows no server and no optimizer.
import { type DataOf, tensor } from '../../../common/tensor.ts'
import { addGradient, type Parameter, parameter } from '../../parameter.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { type LoraSettings, scalingOf, writeLoraConfig } from './config.ts'
import { initializeA, initializeB } from './initialize.ts'
import { resolveTargets, targetNames } from './targets.ts'

/** The two matrices of one module and the names of the ports that they fill. */
interface Adapter {
  readonly a: Parameter
  readonly b: Parameter
  readonly portA: string
  readonly portB: string
}

/** The product of every element and `factor`. */
function scaled(values: DataOf<'float32'>, factor: number): DataOf<'float32'> {
  return values.map(value => value * factor)
}

/**
 * A `[r, in]` and B `[out, r]` for every module that the settings choose. The blocks know no scaling: it is multiplied
 * onto B as it leaves, and onto B's gradient as it comes back.
 */
export function createLora(
  settings: LoraSettings,
  target: TuningTarget,
  options: CreateOptions
): TuningMethod<LoraSettings> {
  const scaling = scalingOf(settings)
  const { r } = settings
  const { seed, initialize } = options
  const targets = resolveTargets(settings, target, initialize)
  const adapters = targets.map(({ block, module }): Adapter => {
    const { name, inFeatures, outFeatures } = module
    const stream = [block, target.modules.indexOf(module)]
    const path = `base_model.model.${target.moduleWeightName(block, name)}`
    const a = initialize ? initializeA(settings, inFeatures, seed, ...stream) : undefined
    const b = initialize ? initializeB(settings, outFeatures, seed, ...stream) : undefined
    return {
      a: parameter(`${path}.lora_A.weight`, [r, inFeatures], a),
      b: parameter(`${path}.lora_B.weight`, [outFeatures, r], b),
      portA: `blocks.${block}.lora.${name}.A`,
      portB: `blocks.${block}.lora.${name}.B`
    }
  })
  const names = targetNames(settings, target.modules)
  // as PEFT sets it over Conv1D; how A and B lie does not depend on it
  const fanInFanOut = targets.every(({ module }) => module.transposed)

  return {
    config: settings,
    parameters: adapters.flatMap(({ a, b }) => [a, b]),
    dropout: settings.loraDropout,
    virtualTokens: 0,
    ports() {
      const ports: Record<string, PortTensors[string]> = {}
      for (const { a, b, portA, portB } of adapters) {
        ports[portA] = tensor('float32', a.shape, a.data)
        ports[portB] = tensor('float32', b.shape, scaled(b.data, scaling))
      }
      return ports
    },
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const { a, b, portA, portB } of adapters) {
        const gradientA = gradients[portA]
        const gradientB = gradients[portB]
        if (gradientA && a.requiresGrad) addGradient(a, gradientA.data as Float32Array)
        if (gradientB && b.requiresGrad) addGradient(b, gradientB.data as Float32Array, scaling)
      }
    },
    accumulatePrompt() {},
    describe: () => writeLoraConfig(settings, names, fanInFanOut)
  }
}
