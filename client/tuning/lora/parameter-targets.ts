// Which parameters of blocks LoRA changes, as PEFT 0.21 resolves it for mixtures of experts
// (peft/utils/transformers_weight_conversion.py, peft/tuners/tuners_utils.py, _inject_parameters). Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { BlockParameter } from '../../../model/family.ts'
import type { TuningTarget } from '../method.ts'
import { wholePattern, withPatterns } from '../targets.ts'
import type { LoraSettings } from './config.ts'

const lastPart = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/** Names of the modules that were a parameter before transformers 5: `w1` and `w3` of gate_up_proj. */
function moduleNames({ experts }: BlockParameter): readonly string[] {
  return (experts[0] ?? []).map(({ name }) => lastPart(name))
}

/** What PEFT calls a parameter when it finds it by these modules: `gate_up_proj`, `gate.weight`. */
function shortName({ name }: BlockParameter): string {
  return name.endsWith('.weight') ? name.split('.').slice(-2).join('.') : lastPart(name)
}

const isNamed = (target: string, name: string): boolean => target === name || target.endsWith(`.${name}`)

/** Throws UNSUPPORTED where a regular expression means modules that are parameters. */
function checkPattern(pattern: string, parameters: readonly BlockParameter[], target: TuningTarget): void {
  const paths = parameters.flatMap(({ name, experts }) =>
    [name, name.replace(/\.weight$/, ''), ...experts.flat().map(module => module.name)].map(path =>
      target.moduleWeightName(0, path)
    )
  )
  const field = 'targetModules'
  const expression = wholePattern(pattern, field)
  const found = withPatterns(field, [pattern], () => paths.find(path => expression.test(path)))
  if (found === undefined) return
  const names = parameters.map(shortName).join(', ')
  throw new SwarmError(
    'UNSUPPORTED',
    `${field}: the regular expression '${pattern}' matches the router or experts (${found}): name them in targetParameters instead (${names})`
  )
}

/**
 * The settings with router and experts in `targetParameters`, as PEFT saves them: modules of earlier versions of transformers
 * (`gate`, `w1`, `w2`, `w3`) are parts of parameters now, and modules that are one parameter add up to one rank.
 * Throws INVALID_ARGUMENT where some of a parameter's modules are named and others are not.
 */
export function withParameters(settings: LoraSettings, target: TuningTarget): LoraSettings {
  const { blockParameters: parameters = [] } = target
  const { targetModules, r, loraAlpha } = settings
  if (parameters.length === 0) return settings
  if (typeof targetModules === 'string' && targetModules.toLowerCase() !== 'all-linear') {
    checkPattern(targetModules, parameters, target)
    return settings
  }
  const names =
    typeof targetModules !== 'string'
      ? targetModules
      : [...new Set([...target.modules.map(({ name }) => lastPart(name)), ...parameters.flatMap(moduleNames)])]
  const chosen = new Set(settings.targetParameters)
  const rankPattern = { ...settings.rankPattern }
  const alphaPattern = { ...settings.alphaPattern }
  const replaced = new Set<string>()
  for (const parameter of parameters) {
    const modules = moduleNames(parameter)
    const missing = modules.filter(module => !names.some(name => isNamed(name, module)))
    const found = names.filter(name => modules.some(module => isNamed(name, module)))
    if (found.length === 0) continue
    if (missing.length > 0) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `targetModules: ${found.join(', ')} needs ${missing.join(', ')} beside it: they are one parameter, ${shortName(parameter)}`
      )
    }
    for (const name of found) replaced.add(name)
    chosen.add(shortName(parameter))
    if (modules.length === 1) continue
    const pattern = String.raw`.*\.${shortName(parameter)}`
    rankPattern[pattern] = r * modules.length
    alphaPattern[pattern] = loraAlpha * modules.length
  }
  if (replaced.size === 0) return settings
  return {
    ...settings,
    targetModules: names.filter(name => !replaced.has(name)),
    targetParameters: [...chosen],
    rankPattern,
    alphaPattern
  }
}

/** The parameters of a block that the settings choose. Throws INVALID_ARGUMENT for a name that none has. */
export function chosenParameters({ targetParameters = [] }: LoraSettings, target: TuningTarget): BlockParameter[] {
  const { blockParameters: parameters = [] } = target
  const path = (parameter: BlockParameter): string => target.moduleWeightName(0, parameter.name)
  // PEFT names a parameter by its whole path, which has the number of its block, or by the end of it
  const unknown = targetParameters.filter(name => !parameters.some(parameter => isNamed(path(parameter), name)))
  if (unknown.length > 0) {
    const known = parameters.map(shortName).join(', ')
    const advice = known === '' ? 'this model has none: name linear modules in targetModules' : `there are ${known}`
    throw new SwarmError(
      'UNSUPPORTED',
      `targetParameters: no parameter is called ${unknown.map(name => `'${name}'`).join(', ')} (${advice})`
    )
  }
  return parameters.filter(parameter => targetParameters.some(name => isNamed(path(parameter), name)))
}
