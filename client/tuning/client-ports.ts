// Ports of linear modules outside the blocks: the client computes these modules itself and no request carries them. Their names, and
// how a method changes the modules' weights.
import { SwarmError } from '../../common/errors.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { LinearModule } from '../../model/family.ts'
import { portName } from '../../model/layers/ports.ts'
import type { WeightParts, WeightSource } from '../local/changed-weight.ts'
import type { PortTensors, TuningMethod, TuningPass, TuningPassOptions } from './method.ts'

type Part = 'A' | 'B' | 'magnitude' | 'input' | 'output'

const clientPort = (module: string, part: Part): string => `client.${module}.${part}`

/** The port of a module in a block, or of one outside the blocks (null). */
export function targetPort({ block, module }: { block: number | null; module: LinearModule }, part: Part): string {
  if (block === null) return clientPort(module.name, part)
  return part === 'A' || part === 'B' || part === 'magnitude'
    ? portName.lora(block, module.name, part)
    : portName.scale(block, module.name, part)
}

type Changing = Pick<TuningMethod, 'weightChanges' | 'clientModules' | 'clientPorts' | 'parameters' | 'accumulatePorts'>

/** What a method does to the weight of a module outside the blocks. */
export function clientParts({ clientPorts }: Pick<Changing, 'clientPorts'>, module: string): WeightParts {
  const ports = clientPorts?.() ?? {}
  const of = (part: Part) => ports[clientPort(module, part)]
  return { a: of('A'), b: of('B'), magnitude: of('magnitude'), input: of('input'), output: of('output') }
}

/** Changes of weights outside the blocks, with the names of their tensors in the checkpoint. */
export function clientChanges(method: Changing): readonly (readonly [tensor: string, source: WeightSource])[] {
  const { clientModules = [], parameters, weightChanges = [] } = method
  const ofModules = clientModules.map(({ name, tensor = `${name}.weight`, where, isEmbedding }) => {
    const source: WeightSource = {
      where,
      parts: () => ({ ...clientParts(method, name), magnitudeAxis: isEmbedding ? 1 : 0 }),
      requiresGrad: () => parameters.some(({ requiresGrad }) => requiresGrad),
      accumulate({ a, b, magnitude, input, output }) {
        const named: Record<string, Float32Tensor | undefined> = { A: a, B: b, magnitude, input, output }
        const gradients = Object.entries(named).flatMap(([part, gradient]) =>
          gradient === undefined ? [] : [[clientPort(name, part as Part), gradient] as const]
        )
        method.accumulatePorts(Object.fromEntries(gradients) satisfies PortTensors)
      }
    }
    return [tensor, source] as const
  })
  return [...ofModules, ...weightChanges]
}

/** Throws UNSUPPORTED: what an adapter adds to a weight has no input of its own that could be dropped. */
export function checkClientDropout(dropout: number, modules: readonly LinearModule[]): void {
  if (dropout === 0 || modules.length === 0) return
  const names = modules.map(({ name }) => name)
  const short = names.map(name => name.slice(name.lastIndexOf('.') + 1))
  throw new SwarmError(
    'UNSUPPORTED',
    `loraDropout: found ${dropout}, expected 0 to train adapters of ${names.join(', ')}, which are outside the blocks ` +
      `(set it to 0, or leave them out with excludeModules / exclude_modules: ${short.join(', ')})`
  )
}

/** For `begin` of a method with dropout: the same check where training begins; undefined where there is nothing to check. */
export function clientDropoutCheck(
  dropout: number,
  modules: readonly LinearModule[],
  pass: () => TuningPass
): ((options: TuningPassOptions) => Promise<TuningPass>) | undefined {
  if (dropout === 0 || modules.length === 0) return undefined
  return async ({ training }) => {
    if (training) checkClientDropout(dropout, modules)
    return pass()
  }
}
