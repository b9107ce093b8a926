// Which modules of which blocks `targetModules` means, as PEFT resolves it (peft/tuners/tuners_utils.py,
// check_target_module_exists). Pure.

import { z } from 'zod'
import { withinTimeLimit } from '#limits'
import { SwarmError } from '../../common/errors.ts'
import type { LinearModule } from '../../model/family.ts'
import type { NamedModule, OutsideModule, TuningTarget } from './method.ts'
import { translatePattern } from './python-pattern.ts'

const names = z.array(z.string()).min(1).readonly()
const layers = z.int().min(0)

/** The fields of a configuration that choose modules, for the schemas of methods that change modules. */
export const targetFields = {
  /**
   * Modules by name or by the end of their name (`q_proj`, `self_attn.q_proj`, `model.layers.0.mlp.up_proj`), or one
   * regular expression that matches whole names, or `all-linear`. Default: those of the model's family.
   */
  targetModules: z.union([z.string(), names]).optional(),
  /** modules that get no adapter, named in the same ways */
  excludeModules: z.union([z.string(), names]).optional(),
  /** blocks that get an adapter; default all */
  layersToTransform: z.union([layers, z.array(layers).readonly()]).optional(),
  /** name, or regular expression, of the list of blocks that `layersToTransform` counts; default any list */
  layersPattern: z.union([z.string(), names]).optional(),
  /** modules outside the blocks that are trained whole and saved with the adapter: `lm_head`, `embed_tokens`, `model.norm` */
  modulesToSave: names.optional()
}

/**
 * The settings, with the modules that LoRA changes in the model's family where none are named: PEFT's tables are the same. Throws
 * INVALID_ARGUMENT where PEFT has no default either.
 */
export function withDefaultTargets<T extends { readonly targetModules?: string | readonly string[] }>(
  settings: T,
  { defaultTargets = ['q_proj', 'v_proj'], modelType }: Pick<TuningTarget, 'defaultTargets' | 'modelType'>
): T & { readonly targetModules: string | readonly string[] } {
  if (settings.targetModules === undefined && defaultTargets.length === 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `targetModules: expected names of modules, found none, and '${modelType}' has no default (set them, or 'all-linear')`
    )
  }
  return { ...settings, targetModules: settings.targetModules ?? defaultTargets }
}

/** What chooses modules, with the family's default filled in. */
export interface TargetSettings {
  readonly targetModules: string | readonly string[]
  readonly excludeModules?: string | readonly string[]
  readonly layersToTransform?: number | readonly number[]
  readonly layersPattern?: string | readonly string[]
  /** modules that are trained whole; those outside the blocks get no adapter then, as in PEFT */
  readonly modulesToSave?: readonly string[]
}

const allLinear = 'all-linear'

/** A linear module that gets an adapter. */
export interface TargetModule {
  /** null: outside the blocks */
  readonly block: number | null
  readonly module: LinearModule & Partial<NamedModule>
  /** `model.layers.3.self_attn.q_proj` */
  readonly path: string
  /** what makes its first values independent of which other modules have an adapter */
  readonly stream: readonly [number, number]
}

type Matcher = (path: string) => boolean
type Model = Pick<TuningTarget, 'modules' | 'modulesOf' | 'clientModules' | 'numBlocks' | 'moduleWeightName'>

/** Throws INVALID_ARGUMENT for combinations that PEFT refuses as well. */
export function checkTargetFields(fields: Partial<TargetSettings>, what: string): void {
  if (typeof fields.targetModules === 'string' && fields.layersToTransform !== undefined) {
    const message = 'layersToTransform needs targetModules as a list of names, not as one string'
    throw new SwarmError('INVALID_ARGUMENT', `${what}: ${message}`)
  }
  if (fields.layersPattern !== undefined && fields.layersToTransform === undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${what}: layersPattern says which blocks layersToTransform counts: give both`
    )
  }
}

/** What the expressions of an adapter may take on all names of a model; real ones take milliseconds. */
const patienceMs = 2_000

/** Names with a few wildcards: such expressions always end soon. */
const isSimple = (pattern: string): boolean => !/[({]/.test(pattern) && (pattern.match(/[*+?]/g)?.length ?? 0) <= 2

/**
 * Returns the result of `compute`, which applies regular expressions from untrusted files. Throws DEADLINE with the
 * field's name if they do not end.
 */
export function withPatterns<T>(
  field: string,
  patterns: readonly string[],
  compute: () => T,
  timeoutMs = patienceMs
): T {
  if (patterns.every(isSimple)) return compute()
  return withinTimeLimit(timeoutMs, `${field}: ${patterns.join(', ').slice(0, 200)}`, compute)
}

/**
 * A regular expression of Python's that matches all of a text, with what may stand before it. Throws INVALID_ARGUMENT, UNSUPPORTED
 * for what JavaScript's cannot say.
 */
export function wholePattern(pattern: string, field: string, before = ''): RegExp {
  const { source, flags } = translatePattern(pattern, field)
  try {
    return new RegExp(`^${before}(?:${source})$`, flags)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `${field}: '${pattern}' is not a regular expression`, { cause })
  }
}

/** `q_proj` names `model.layers.3.self_attn.q_proj`: the whole path or its end after a dot. */
function nameMatcher(name: string): Matcher {
  return path => path === name || path.endsWith(`.${name}`)
}

function patternMatcher(pattern: string, field: string): Matcher {
  if (pattern.toLowerCase() === allLinear) return () => true
  const expression = wholePattern(pattern, field)
  return path => expression.test(path)
}

/** Each name, or the pattern, with what it matches. */
function matchersOf(chosen: string | readonly string[], field: string): (readonly [name: string, matches: Matcher])[] {
  return typeof chosen === 'string'
    ? [[chosen, patternMatcher(chosen, field)]]
    : chosen.map(name => [name, nameMatcher(name)] as const)
}

/** Whether a path lies in one of the blocks chosen: the first number in it counts that follows a list's name. */
function blockMatcher({ layersToTransform, layersPattern }: TargetSettings, numBlocks: number): Matcher {
  const list = typeof layersToTransform === 'number' ? [layersToTransform] : (layersToTransform ?? [])
  const outside = list.filter(block => block >= numBlocks)
  if (outside.length > 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `layersToTransform: expected blocks 0..${numBlocks - 1}, found ${outside.join(', ')}`
    )
  }
  if (list.length === 0) return () => true
  const patterns = typeof layersPattern === 'string' ? [layersPattern] : (layersPattern ?? ['[^.]*'])
  const expressions = patterns.map(pattern =>
    wholePattern(String.raw`(?:${pattern})\.(?<index>\d+)\..*`, 'layersPattern', String.raw`(?:.*?\.)??`)
  )
  return path => {
    const found = expressions.map(expression => expression.exec(path)).find(match => match !== null)
    return found !== undefined && list.includes(Number(found.groups!.index))
  }
}

function describeFailure(unmatched: readonly string[], settings: TargetSettings, target: Model): string {
  const names = target.modules.map(({ name }) => name).join(', ')
  const { layersToTransform, layersPattern, excludeModules } = settings
  const others = Object.entries({ layersToTransform, layersPattern, excludeModules })
    .flatMap(([name, value]) => (value === undefined ? [] : `${name} ${JSON.stringify(value)}`))
    .join(' and ')
  const what =
    unmatched.length > 0
      ? `no module matches ${unmatched.map(name => `'${name}'`).join(', ')}`
      : `${others} leave none of the modules`
  const outside = (target.clientModules ?? []).map(({ path }) => path)
  const alsoOutside = outside.length === 0 ? '' : `; outside the blocks there are ${outside.join(', ')}`
  return `${what}; a block has ${names} (in full: ${target.moduleWeightName(0, target.modulesOf(0)[0]!.name)})${alsoOutside}`
}

/** Every module that can have an adapter, those outside the blocks first. */
function* candidates({ clientModules = [], modulesOf, numBlocks, moduleWeightName }: Model): Generator<TargetModule> {
  for (const [index, module] of clientModules.entries()) {
    yield { block: null, module, path: module.path, stream: [numBlocks, index] }
  }
  for (let block = 0; block < numBlocks; block++) {
    for (const [index, module] of modulesOf(block).entries()) {
      yield { block, module, path: moduleWeightName(block, module.name), stream: [block, index] }
    }
  }
}

/** Whether it is trained whole and so gets no adapter. */
function isSavedWhole({ block, path }: TargetModule, { modulesToSave = [] }: TargetSettings): boolean {
  return block === null && modulesToSave.some(name => `.${path}.`.includes(`.${name}.`))
}

/**
 * Every module that gets an adapter: those outside the blocks, then in the order of blocks and of the modules in them.
 * Throws INVALID_ARGUMENT, with the names there are, where nothing matches; if `strict`, also for a name among others that
 * matches nothing: in a new adapter that is a mistake, in a saved one PEFT tolerates it. DEADLINE for an expression that does not end.
 */
export function resolveTargets(
  settings: TargetSettings,
  target: Model,
  strict: boolean,
  timeoutMs?: number,
  named: readonly NamedModule[] = []
): readonly TargetModule[] {
  const { targetModules, excludeModules, layersPattern } = settings
  const given = [targetModules, excludeModules].filter(value => typeof value === 'string')
  const lists = layersPattern === undefined ? [] : [layersPattern].flat()
  const fields = Object.entries({ targetModules, excludeModules, layersPattern })
  const fieldNames = fields.flatMap(([name, value]) => (value === undefined ? [] : name)).join(' and ')
  return withPatterns(fieldNames, [...given, ...lists], () => findTargets(settings, target, strict, named), timeoutMs)
}

function findTargets(
  settings: TargetSettings,
  target: Model,
  strict: boolean,
  named: readonly NamedModule[]
): readonly TargetModule[] {
  const matchers = matchersOf(settings.targetModules, 'targetModules')
  const excluded = matchersOf(settings.excludeModules ?? [], 'excludeModules')
  const isInBlock = blockMatcher(settings, target.numBlocks)
  const chosen: TargetModule[] = []
  const used = new Set<string>()
  const { targetModules } = settings
  const isAll = typeof targetModules === 'string' && targetModules.toLowerCase() === allLinear
  const others = (isAll ? [] : named).map((module, index): TargetModule => {
    return { block: null, module, path: module.path, stream: [target.numBlocks + 1, index] }
  })
  for (const candidate of [...others, ...candidates(target)]) {
    const { path } = candidate
    const matching = matchers.filter(([, matches]) => matches(path))
    for (const [name] of matching) used.add(name)
    if (matching.length === 0 || !isInBlock(path) || excluded.some(([, matches]) => matches(path))) continue
    if (!isSavedWhole(candidate, settings)) chosen.push(candidate)
  }
  const unmatched = matchers.map(([name]) => name).filter(name => !used.has(name))
  if ((strict && unmatched.length > 0) || chosen.length === 0) {
    throw new SwarmError('INVALID_ARGUMENT', `targetModules: ${describeFailure(unmatched, settings, target)}`)
  }
  return chosen
}

/** Anything with a path. */
export type Choice<T> = T & { readonly path: string }

/**
 * Those of the candidates that `targetModules` and `excludeModules` choose, in their order. Throws as `resolveTargets`.
 */
export function chooseModules<T>(
  settings: Pick<TargetSettings, 'targetModules' | 'excludeModules'>,
  candidates: readonly Choice<T>[],
  strict: boolean
): readonly Choice<T>[] {
  const { targetModules, excludeModules } = settings
  const given = [targetModules, excludeModules].filter(value => typeof value === 'string')
  return withPatterns('targetModules and excludeModules', given, () => {
    const matchers = matchersOf(targetModules, 'targetModules')
    const excluded = matchersOf(excludeModules ?? [], 'excludeModules')
    const isChosen = ({ path }: Choice<T>): boolean =>
      matchers.some(([, matches]) => matches(path)) && !excluded.some(([, matches]) => matches(path))
    const chosen = candidates.filter(isChosen)
    const unmatched = matchers
      .filter(([, matches]) => !candidates.some(({ path }) => matches(path)))
      .map(([name]) => name)
    if ((strict && unmatched.length > 0) || chosen.length === 0) {
      const names = (unmatched.length > 0 ? unmatched : [targetModules].flat()).map(name => `'${name}'`).join(', ')
      const known = [...new Set(candidates.map(({ path }) => path.replace(/\.\d+\./, '.<i>.')))].join(', ')
      throw new SwarmError('INVALID_ARGUMENT', `targetModules: no module matches ${names}; there are ${known}`)
    }
    return chosen
  })
}

/** The value for adapter_config.json: names instead of `all-linear`, as in PEFT, or the configured value. */
export function targetNames(
  { targetModules }: TargetSettings,
  { modules, clientModules = [] }: Pick<Model, 'modules' | 'clientModules'>
): string | readonly string[] {
  if (typeof targetModules !== 'string' || targetModules.toLowerCase() !== allLinear) return targetModules
  return [...new Set([...modules, ...clientModules].map(({ name }) => name.slice(name.lastIndexOf('.') + 1)))]
}

/**
 * The value of the first pattern that matches the end of the path, at its start or after a dot (peft/utils/other.py,
 * get_pattern_key).
 */
export function patternValue<T>(patterns: Readonly<Record<string, T>>, path: string, field: string, otherwise: T): T {
  const found = Object.entries(patterns).find(([pattern]) =>
    withPatterns(field, [pattern], () => wholePattern(pattern, field, String.raw`(?:.*\.)?`).test(path))
  )
  return found === undefined ? otherwise : found[1]
}

/** The modules outside the blocks, which the client computes. */
export function clientModulesOf(targets: readonly TargetModule[]): readonly OutsideModule[] {
  return targets.flatMap(({ block, module }) => (block === null ? [module] : []))
}
