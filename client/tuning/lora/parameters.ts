// LoRA over parameters of blocks, as PEFT's ParamWrapper keeps it: one A and one B for all experts of a parameter. The blocks
// take a pair for each module that the parameter is made of.

import { SwarmError } from '../../../common/errors.ts'
import { rowView } from '../../../common/rows.ts'
import { type Float32Tensor, float32, type Tensor } from '../../../common/tensor.ts'
import type { BlockParameter } from '../../../model/family.ts'
import { convertToFloat32, isWeightDtype } from '../../../model/formats/convert.ts'
import { dataBytes } from '../../../model/formats/safetensors/encoding.ts'
import { portName } from '../../../model/layers/ports.ts'
import { type Parameter, parameter } from '../../local/parameter.ts'
import type { CreateOptions, PortTensors, TuningTarget } from '../method.ts'
import { type LoraSettings, ranksOf } from './config.ts'
import { initializeA, initializeB } from './initialize.ts'
import { chosenParameters } from './parameter-targets.ts'

type Tensors = Readonly<Record<string, Tensor>>

/** The pair of one parameter of one block. */
interface ParameterAdapter {
  readonly block: number
  readonly of: BlockParameter
  /** of each expert */
  readonly rank: number
  readonly scaling: number
  /** `[rank * experts, in]`: the rows of one expert together */
  readonly a: Parameter
  /** `[out, rank * experts]`: the columns of one rank together */
  readonly b: Parameter
}

/** The pairs of all parameters that the settings choose. */
export interface ParameterAdapters {
  readonly parameters: readonly Parameter[]
  ports(): PortTensors
  accumulate(gradients: Tensors): void
  /** Tensors of files that transformers 4 wrote, a pair for each module, put together; others as they are. */
  fromSaved(tensors: Tensors): Tensors
}

/** The module that holds a parameter, and how many others of it are adapted after it: PEFT wraps it once for each. */
function storedPath({ name }: BlockParameter, chosen: readonly BlockParameter[]): string {
  const holder = (path: string): string => path.slice(0, path.lastIndexOf('.'))
  const of = chosen.filter(each => holder(each.name) === holder(name)).map(each => each.name)
  return holder(name) + '.base_layer'.repeat(of.length - 1 - of.indexOf(name))
}

/** Calls back with every module of a parameter: its expert, and the first of its rows. */
function eachPart(
  { experts }: BlockParameter,
  visit: (module: BlockParameter['experts'][number][number], expert: number, row: number) => void
): void {
  for (const [expert, modules] of experts.entries()) {
    let row = 0
    for (const module of modules) {
      visit(module, expert, row)
      row += module.outFeatures
    }
  }
}

function createAdapter(
  block: number,
  of: BlockParameter,
  chosen: readonly BlockParameter[],
  {
    settings,
    target,
    seed,
    initialize
  }: Pick<CreateOptions, 'seed' | 'initialize'> & {
    settings: LoraSettings
    target: TuningTarget
  }
): ParameterAdapter {
  const { r: rank, scaling } = ranksOf(settings, target.moduleWeightName(block, of.name))
  const { inFeatures, outFeatures, experts } = of
  const columns = rank * experts.length
  const values = { r: columns, initLoraWeights: settings.initLoraWeights }
  const stream = [block, target.modules.length + target.blockParameters!.indexOf(of)]
  const a = initialize ? initializeA(values, inFeatures, seed, ...stream) : undefined
  // PEFT's normal numbers go by the rank of one expert
  if (settings.initLoraWeights === 'gaussian') for (const at of a?.keys() ?? []) a![at]! *= experts.length
  const b = initialize ? initializeB(values, outFeatures, seed, ...stream) : undefined
  const path = `base_model.model.${target.moduleWeightName(block, storedPath(of, chosen))}`
  return {
    block,
    of,
    rank,
    scaling,
    a: parameter(`${path}.lora_A.weight`, [columns, inFeatures], a),
    b: parameter(`${path}.lora_B.weight`, [outFeatures, columns], b)
  }
}

function* portsOf({ block, of, rank, scaling, a, b }: ParameterAdapter): Generator<[string, Float32Tensor]> {
  const count = of.experts.length
  const parts: Parameters<Parameters<typeof eachPart>[1]>[] = []
  eachPart(of, (...part) => parts.push(part))
  for (const [{ name, outFeatures }, expert, row] of parts) {
    const rows = rowView(a.data, rank * of.inFeatures, expert)
    const columns = new Float32Array(outFeatures * rank)
    for (let out = 0; out < outFeatures; out++) {
      for (let at = 0; at < rank; at++) {
        columns[out * rank + at] = b.data[(row + out) * rank * count + at * count + expert]! * scaling
      }
    }
    yield [portName.lora(block, name, 'A'), float32([rank, of.inFeatures], rows.slice())]
    yield [portName.lora(block, name, 'B'), float32([outFeatures, rank], columns)]
  }
}

function accumulate({ block, of, rank, scaling, a, b }: ParameterAdapter, gradients: Tensors): void {
  const count = of.experts.length
  eachPart(of, ({ name, outFeatures }, expert, row) => {
    const [forA, forB] = [gradients[portName.lora(block, name, 'A')], gradients[portName.lora(block, name, 'B')]]
    if (forA !== undefined && a.requiresGrad) {
      const from = expert * rank * of.inFeatures
      const values = forA.data as Float32Array
      a.grad ??= new Float32Array(a.data.length)
      for (let at = 0; at < values.length; at++) a.grad[from + at]! += values[at]!
    }
    if (forB !== undefined && b.requiresGrad) {
      const values = forB.data as Float32Array
      b.grad ??= new Float32Array(b.data.length)
      for (let out = 0; out < outFeatures; out++) {
        for (let at = 0; at < rank; at++) {
          b.grad[(row + out) * rank * count + at * count + expert]! += values[out * rank + at]! * scaling
        }
      }
    }
  })
}

/** The numbers of a tensor in a file; null if it has none. */
export function floats(tensor: Tensor): Float32Array | null {
  const { dtype } = tensor
  if (!isWeightDtype(dtype)) return null
  const values = new Float32Array(tensor.data.length)
  convertToFloat32(dataBytes(tensor), dtype, values, 0)
  return values
}

/**
 * One A and B of a parameter from a pair for each of its modules, and the names that these have in the file; null where the file has
 * none. Ranks of the modules of one expert are put beside each other, as PEFT does it.
 */
function joined(
  { block, of, rank, a, b }: ParameterAdapter,
  tensors: Tensors,
  target: TuningTarget
): { readonly names: readonly string[]; readonly tensors: Tensors } | null {
  const count = of.experts.length
  const wholeA = new Float32Array(a.data.length)
  const wholeB = new Float32Array(b.data.length)
  const names: string[] = []
  let complete = true
  const filled = new Map<number, number>()
  eachPart(of, ({ name, inFeatures, outFeatures }, expert, row) => {
    const path = `base_model.model.${target.moduleWeightName(block, name)}`
    const [nameA, nameB] = [`${path}.lora_A.weight`, `${path}.lora_B.weight`]
    const [partA, partB] = [tensors[nameA], tensors[nameB]]
    const own = partA?.shape[0] ?? 0
    const first = filled.get(expert) ?? 0
    const fits = partA?.shape[1] === inFeatures && partB?.shape[0] === outFeatures && partB.shape[1] === own
    const [valuesA, valuesB] = fits ? [floats(partA), floats(partB)] : [null, null]
    if (valuesA === null || valuesB === null || first + own > rank) {
      complete = false
      return
    }
    names.push(nameA, nameB)
    filled.set(expert, first + own)
    wholeA.set(valuesA, (expert * rank + first) * inFeatures)
    for (let out = 0; out < outFeatures; out++) {
      for (let at = 0; at < own; at++) {
        wholeB[(row + out) * rank * count + (first + at) * count + expert] = valuesB[out * own + at]!
      }
    }
  })
  if (!complete || [...filled.values()].some(ranks => ranks !== rank)) return null
  return { names, tensors: { [a.name]: float32(a.shape, wholeA), [b.name]: float32(b.shape, wholeB) } }
}

/** A and B for every parameter of blocks that the settings choose. Throws INVALID_ARGUMENT, UNSUPPORTED as `chosenParameters`. */
export function parameterAdapters(
  settings: LoraSettings,
  target: TuningTarget,
  { seed, initialize }: CreateOptions
): ParameterAdapters {
  const chosen = chosenParameters(settings, target)
  if (chosen.length > 0 && settings.loraDropout > 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `loraDropout: expected 0 where targetParameters are adapted, as in PEFT, found ${settings.loraDropout}`
    )
  }
  if (chosen.length > 0 && initialize && settings.initLoraWeights === 'orthogonal') {
    throw new SwarmError('INVALID_ARGUMENT', "initLoraWeights: 'orthogonal' begins no targetParameters")
  }
  const blocks = Array.from({ length: chosen.length > 0 ? target.numBlocks : 0 }, (_, block) => block)
  const adapters = blocks.flatMap(block =>
    chosen.map(of => createAdapter(block, of, chosen, { settings, target, seed, initialize }))
  )
  return {
    parameters: adapters.flatMap(({ a, b }) => [a, b]),
    ports: () => Object.fromEntries(adapters.flatMap(adapter => [...portsOf(adapter)])),
    accumulate(gradients) {
      for (const adapter of adapters) accumulate(adapter, gradients)
    },
    fromSaved(tensors) {
      const found = adapters.flatMap(adapter => joined(adapter, tensors, target) ?? [])
      const used = new Set(found.flatMap(({ names }) => names))
      const others = Object.entries(tensors).filter(([name]) => !used.has(name))
      return Object.assign(Object.fromEntries(others), ...found.map(each => each.tensors))
    }
  }
}
