// From what a file and flags say to the configuration of a run, or to errors that say what is wrong and where.
import type { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { suggestion } from '../../../common/names.ts'
import { peftKeys } from './peft.ts'
import { type TrainConfig, trainConfigSchema } from './schema.ts'

/** Where the value at a path was written, for messages: `run.yaml:7`, `--max-steps`. */
export type Locate = (path: readonly PropertyKey[]) => string | undefined

/** Names that are known at a path. */
function knownAt(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(trainConfigSchema.shape)
  if (path[0] === 'peft') return peftKeys
  const inner = trainConfigSchema.shape[path[0] as keyof typeof trainConfigSchema.shape] as z.ZodDefault<z.ZodObject>
  return Object.keys(inner.unwrap().shape)
}

function describe(issue: z.core.$ZodIssue, locate: Locate): string {
  const at = (path: readonly PropertyKey[]): string => {
    const place = locate(path)
    return place === undefined ? '' : `${place}: `
  }
  if (issue.code === 'unrecognized_keys') {
    const known = knownAt(issue.path)
    return issue.keys
      .map(key => {
        const path = [...issue.path, key]
        return `${at(path)}unknown key '${path.join('.')}'${suggestion(key, known)}`
      })
      .join('; ')
  }
  const name = issue.path.join('.')
  if (issue.input === undefined) return `${name}: is needed`
  return `${at(issue.path)}${name}: ${issue.message}`
}

/** What the schema cannot say of one key alone. */
function contradictions(config: TrainConfig): string[] {
  const faults: string[] = []
  const evaluates = config.validation_file !== undefined || config.validation_split !== undefined
  const needs = (key: keyof TrainConfig, isSet: boolean): void => {
    if (isSet && !evaluates) faults.push(`${key}: needs a validation_file or a validation_split`)
  }
  needs('load_best_model_at_end', config.load_best_model_at_end)
  needs('early_stopping_patience', config.early_stopping_patience !== undefined)
  needs('eval_steps', config.eval_steps !== undefined)
  if (config.max_steps === 0 || config.max_steps < -1) faults.push('max_steps: expected a number above 0, or -1')
  if (config.lr_scheduler_type === 'constant' && (config.warmup_steps > 0 || config.warmup_ratio > 0)) {
    faults.push("lr_scheduler_type: 'constant' has no warm-up: take constant_with_warmup")
  }
  return faults
}

/** With the defaults that depend on another key. */
function filled(config: TrainConfig): TrainConfig {
  return { ...config, adam_beta2: config.adam_beta2 ?? (config.optim === 'lion' ? 0.99 : 0.999) }
}

/** Throws INVALID_ARGUMENT that names every fault; an unknown key with the known one that is nearest. */
export function parseTrainConfig(value: unknown, locate: Locate = () => undefined): TrainConfig {
  const result = trainConfigSchema.safeParse(value, { reportInput: true })
  const faults = result.success
    ? contradictions(result.data)
    : result.error.issues.map(issue => describe(issue, locate))
  if (faults.length === 0) return filled(result.data!)
  throw new SwarmError('INVALID_ARGUMENT', `training configuration: ${faults.join('; ')}`)
}
