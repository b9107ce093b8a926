// Which modules of which blocks `targetModules` means, as PEFT resolves it (peft/tuners/tuners_utils.py,
// check_target_module_exists). Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { LinearModule } from '../../../model/family.ts'
import type { TuningTarget } from '../method.ts'
import type { LoraSettings } from './config.ts'

const allLinear = 'all-linear'

/** A linear module that gets an adapter. */
export interface TargetModule {
  readonly block: number
  readonly module: LinearModule
}

type Matcher = (path: string) => boolean

/** `q_proj` names `model.layers.3.self_attn.q_proj`: the whole path or its end after a dot. */
function nameMatcher(name: string): Matcher {
  return path => path === name || path.endsWith(`.${name}`)
}

function patternMatcher(pattern: string): Matcher {
  if (pattern.toLowerCase() === allLinear) return () => true
  try {
    const expression = new RegExp(`^(?:${pattern})$`)
    return path => expression.test(path)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `targetModules: '${pattern}' is not a regular expression`, { cause })
  }
}

function chosenBlocks({ layersToTransform: layers }: LoraSettings, numBlocks: number): (block: number) => boolean {
  const list = typeof layers === 'number' ? [layers] : (layers ?? [])
  const outside = list.filter(block => block >= numBlocks)
  if (outside.length > 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `layersToTransform: expected blocks 0..${numBlocks - 1}, found ${outside.join(', ')}`
    )
  }
  return block => list.length === 0 || list.includes(block)
}

/**
 * Every module that gets an adapter, in the order of blocks and of the modules in them.
 * Throws INVALID_ARGUMENT, with the names there are, where nothing matches; if `strict`, also for a name among others that
 * matches nothing: in a new adapter that is a mistake, in a saved one PEFT tolerates it.
 */
export function resolveTargets(
  settings: LoraSettings,
  target: Pick<TuningTarget, 'modules' | 'numBlocks' | 'moduleWeightName'>,
  strict: boolean
): readonly TargetModule[] {
  const { targetModules } = settings
  const matchers: (readonly [name: string, matches: Matcher])[] =
    typeof targetModules === 'string'
      ? [[targetModules, patternMatcher(targetModules)]]
      : targetModules.map(name => [name, nameMatcher(name)] as const)
  const isChosen = chosenBlocks(settings, target.numBlocks)
  const chosen: TargetModule[] = []
  const used = new Set<string>()
  for (let block = 0; block < target.numBlocks; block++) {
    for (const module of target.modules) {
      const path = target.moduleWeightName(block, module.name)
      const matching = matchers.filter(([, matches]) => matches(path))
      for (const [name] of matching) used.add(name)
      if (matching.length > 0 && isChosen(block)) chosen.push({ block, module })
    }
  }
  const unmatched = matchers.map(([name]) => name).filter(name => !used.has(name))
  if ((strict && unmatched.length > 0) || chosen.length === 0) {
    const names = target.modules.map(({ name }) => name).join(', ')
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `targetModules: no module matches ${unmatched.map(name => `'${name}'`).join(', ')}; a block has ${names} ` +
        `(in full: ${target.moduleWeightName(0, target.modules[0]!.name)})`
    )
  }
  return chosen
}

/** What to write to adapter_config.json: names instead of `all-linear`, as PEFT does, else what was configured. */
export function targetNames(
  { targetModules }: LoraSettings,
  modules: readonly LinearModule[]
): string | readonly string[] {
  if (typeof targetModules !== 'string' || targetModules.toLowerCase() !== allLinear) return targetModules
  return [...new Set(modules.map(({ name }) => name.slice(name.lastIndexOf('.') + 1)))]
}
