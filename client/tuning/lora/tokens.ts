// Rows of the embedding that an adapter trains, as PEFT's trainable_token_indices: a tied head has them too.
import { SwarmError } from '../../../common/errors.ts'
import { type DataOf, tensor } from '../../../common/tensor.ts'
import type { WeightSource } from '../../local/changed-weight.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import type { CreateOptions, NamedModule, TuningTarget } from '../method.ts'
import type { LoraSettings } from './config.ts'

export interface TrainedTokens {
  readonly parameters: readonly Parameter[]
  readonly changes: readonly (readonly [tensor: string, source: WeightSource])[]
}

/** Token ids by the module whose rows they are. Throws INVALID_ARGUMENT, UNSUPPORTED for modules that have none. */
function chosenRows(
  { trainableTokenIndices: given, modulesToSave = [], ensureWeightTying }: LoraSettings,
  { namedModules = [] }: TuningTarget,
  adapted: ReadonlySet<string>
): readonly (readonly [NamedModule, readonly number[]])[] {
  if (given === undefined) return []
  const embedding = namedModules.find(({ isEmbedding }) => isEmbedding)
  if (embedding === undefined) {
    throw new SwarmError('UNSUPPORTED', 'trainableTokenIndices: models of two stacks have no single embedding here')
  }
  const lists: Readonly<Record<string, readonly number[]>> = Array.isArray(given)
    ? { [embedding.path]: given }
    : (given as Readonly<Record<string, readonly number[]>>)
  return Object.entries(lists).map(([name, ids]) => {
    const module = namedModules.find(({ path }) => path === name || path.endsWith(`.${name}`))
    const known = namedModules.map(({ path }) => path).join(', ')
    if (module === undefined) {
      throw new SwarmError('INVALID_ARGUMENT', `trainableTokenIndices: no module matches '${name}'; there are ${known}`)
    }
    if (module.tied && !module.isEmbedding) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `trainableTokenIndices: '${name}' is the embedding in this model: name that, and the head has its rows too`
      )
    }
    const whole = modulesToSave.some(each => `.${module.path}.`.includes(`.${each}.`))
    if (whole || adapted.has(module.path)) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `trainableTokenIndices: ${module.path} is trained otherwise too (${whole ? 'modulesToSave' : 'targetModules'})`
      )
    }
    if (ensureWeightTying && !module.tied) {
      throw new SwarmError('UNSUPPORTED', 'trainableTokenIndices: ensureWeightTying ties rows of tied models only')
    }
    const size = module.isEmbedding ? module.inFeatures : module.outFeatures
    const wrong = ids.find(id => id >= size)
    if (wrong !== undefined || new Set(ids).size < ids.length) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `trainableTokenIndices: expected different ids below ${size}, found ${wrong ?? 'one twice'}`
      )
    }
    return [module, ids] as const
  })
}

/** The rows that the settings choose, first as the checkpoint has them. `adapted`: paths of modules with pairs. Throws as reading does. */
export async function trainedTokens(
  settings: LoraSettings,
  target: TuningTarget,
  adapted: ReadonlySet<string>,
  { initialize, signal }: Pick<CreateOptions, 'initialize' | 'signal'>
): Promise<TrainedTokens> {
  const parameters: Parameter[] = []
  const changes: (readonly [string, WeightSource])[] = []
  for (const [module, ids] of chosenRows(settings, target, adapted)) {
    const width = module.isEmbedding ? module.outFeatures : module.inFeatures
    const first = async (): Promise<DataOf<'float32'> | undefined> => {
      if (!initialize) return undefined
      if (target.readWeight === undefined) throw new SwarmError('INTERNAL', 'weights: the checkpoint cannot be read')
      const { data } = await target.readWeight(null, module.tensor.replace(/\.weight$/, ''), { signal })
      const rows = new Float32Array(ids.length * width)
      for (const [at, id] of ids.entries()) rows.set(data.subarray(id * width, (id + 1) * width), at * width)
      return rows
    }
    const name = `base_model.model.${module.path}.token_adapter.trainable_tokens_delta`
    const rows = parameter(name, [ids.length, width], await first())
    parameters.push(rows)
    changes.push([
      module.tensor,
      {
        where: module.tied ? undefined : module.where,
        parts: () => ({ rows: { ids, values: tensor('float32', rows.shape, rows.data) } }),
        requiresGrad: () => rows.requiresGrad,
        accumulate({ rows: gradient }) {
          if (gradient !== undefined && rows.requiresGrad) addGradient(rows, gradient.values.data)
        }
      }
    ])
  }
  return { parameters, changes }
}
