// Merges adapters into a model's weights, for adapters that allow it. Knows ports, no tuning method.
import { SwarmError } from '../../common/errors.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { ModelConfig } from '../../model/config/config.ts'
import type { Family, PortKind } from '../../model/family.ts'
import { parsePort } from '../../model/layers/ports.ts'
import { addProduct, applyParts, gains, scaleAxis, transpose, type WeightParts } from '../local/changed-weight.ts'
import { clientChanges, type PortTensors, type TuningMethod } from '../tuning/index.ts'

/** Changes a tensor in place. */
type Change = (weight: Float32Tensor) => void

/** Changes by the names of the tensors, as the checkpoint's family names them. */
export type MergePlan = ReadonlyMap<string, Change>

/** A linear module, what its tensors are called, and what fills its ports. */
interface Filled extends WeightParts {
  readonly path: string
  readonly transposed: boolean
  readonly hasBias: boolean
  readonly bias?: Float32Tensor
  /** of the weight itself: [rank, in], [out, rank] */
  readonly baseA?: Float32Tensor
  readonly baseB?: Float32Tensor
}

/** (W + B A) ∘ output ∘ input, W [out, in], its rows brought to the magnitudes; of weights that lie [in, out] the same the other way round. */
function* weightChanges(filled: Filled): Generator<Change> {
  const { transposed, a, b, baseA, baseB, magnitude, input, output } = filled
  for (const [left, right] of [
    [baseB, baseA],
    [b, a]
  ]) {
    if (left === undefined || right === undefined) continue
    yield weight =>
      transposed ? addProduct(weight, transpose(right), transpose(left)) : addProduct(weight, left, right)
  }
  if (magnitude !== undefined) {
    const axis = transposed ? 1 : 0
    yield weight => scaleAxis(weight, gains(weight, magnitude, axis), axis)
  }
  if (input !== undefined) yield weight => scaleAxis(weight, input, transposed ? 0 : 1)
  if (output !== undefined) yield weight => scaleAxis(weight, output, transposed ? 1 : 0)
}

/** (bias + what is added to it) ∘ output */
function* biasChanges({ hasBias, bias, output }: Filled): Generator<Change> {
  if (bias !== undefined) {
    yield vector => {
      for (let index = 0; index < vector.data.length; index++) vector.data[index]! += bias.data[index]!
    }
  }
  if (hasBias && output !== undefined) yield vector => scaleAxis(vector, output, 0)
}

/** Throws UNSUPPORTED where the method puts something before the input: that is no part of any weight. */
function refuseVirtualTokens(
  { virtualTokens, prefixTokens = 0 }: Pick<TuningMethod, 'virtualTokens' | 'prefixTokens'>,
  what: string
): void {
  const count = virtualTokens + prefixTokens
  if (count === 0) return
  throw new SwarmError(
    'UNSUPPORTED',
    `${what}: ${count} virtual tokens stand before the input and are no part of the weights: it cannot be merged (use it as an adapter)`
  )
}

const mergeable: readonly PortKind[] = ['lora', 'base', 'scale', 'bias']

/** Filled ports by the paths of their modules. Throws UNSUPPORTED for ports that act on hidden states. */
function filledModules(
  ports: PortTensors,
  { family, config }: { family: Family; config: ModelConfig },
  what: string
): Filled[] {
  const filled = new Map<string, Filled>()
  for (const [name, tensor] of Object.entries(ports)) {
    const { kind, block, module, part = 'bias' } = parsePort(name)
    if (module === undefined) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${what}: its ${kind} acts on hidden states: it cannot be merged into weights`
      )
    }
    if (!mergeable.includes(kind) || part === 'product') {
      throw new SwarmError('UNSUPPORTED', `${what}: its ${kind} of ${module} cannot be merged into weights here`)
    }
    const path = family.moduleWeightName(config, block, module)
    const known = filled.get(path) ?? {
      path,
      transposed: family.linearModules(config, block).some(({ name, transposed }) => name === module && transposed),
      hasBias: family.blockBiases(config, block).some(bias => bias.name === module)
    }
    filled.set(path, { ...known, [kind === 'base' ? `base${part}` : part.toLowerCase()]: tensor })
  }
  return [...filled.values()]
}

/** What an adapter does to the tensors of a model. Throws UNSUPPORTED, with `what` the adapter is, where it does more than that. */
export function planMerge(
  method: Pick<
    TuningMethod,
    'ports' | 'clientModules' | 'clientPorts' | 'weightChanges' | 'virtualTokens' | 'prefixTokens'
  >,
  model: { family: Family; config: ModelConfig },
  what: string
): MergePlan {
  refuseVirtualTokens(method, what)
  const plan = new Map<string, Change>()
  const { embedding, head } = model.family.clientTensorNames(model.config)
  for (const [tensor, { where, parts }] of clientChanges({ parameters: [], accumulatePorts() {}, ...method })) {
    if (where !== undefined && embedding === head && tensor === head) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${what}: it changes ${tensor} as ${where === 'before' ? 'the embedding' : 'the head'} only, which is both in this model: it cannot be merged (use it as an adapter)`
      )
    }
    plan.set(tensor, weight => applyParts(weight, parts()))
  }
  for (const module of filledModules(method.ports(), model, what)) {
    const tensors = { weight: [...weightChanges(module)], bias: [...biasChanges(module)] }
    if (module.bias !== undefined && !module.hasBias) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${what}: its bias of ${module.path} has no place in the model, whose module has none: it cannot be merged (use it as an adapter)`
      )
    }
    for (const [name, changes] of Object.entries(tensors)) {
      if (changes.length === 0) continue
      plan.set(`${module.path}.${name}`, tensor => {
        for (const change of changes) change(tensor)
      })
    }
  }
  return plan
}
