// What methods share that change linear modules of blocks only, as PEFT's classes for torch's Linear do.
import { SwarmError } from '../../common/errors.ts'
import type { TuningTarget } from './method.ts'
import { resolveTargets, type TargetModule, type TargetSettings } from './targets.ts'

/** A linear module of a block. */
export type BlockTarget = TargetModule & { readonly block: number }

function refuse(what: string, { path }: TargetModule, reason: string): never {
  throw new SwarmError(
    'UNSUPPORTED',
    `${what}: ${path} ${reason} (leave it out with excludeModules / exclude_modules, or name targetModules)`
  )
}

/**
 * The modules that the settings choose. Throws as `resolveTargets`, and UNSUPPORTED for modules that PEFT's method has no layer for
 * and for those outside the blocks.
 */
export function resolveBlockTargets(
  settings: TargetSettings,
  target: TuningTarget,
  strict: boolean,
  what: string
): readonly BlockTarget[] {
  return resolveTargets(settings, target, strict).map(each => {
    const { block, module } = each
    if (block === null)
      return refuse(what, each, 'is outside the blocks, where the client takes low-rank pairs and scales only')
    if (module.transposed) return refuse(what, each, 'is a Conv1D, and PEFT has this method for Linear only')
    return { ...each, block }
  })
}
