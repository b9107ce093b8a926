// From what a file and flags say to the configuration of a run, or to errors that say what is wrong and where.
import type { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { suggestion } from '../../../common/names.ts'
import { peftKeys, peftKeysOf } from './peft.ts'
import { type TrainConfig, trainConfigSchema } from './schema.ts'
import { translateNames } from './translate.ts'

/** Where the value at a path was written, for messages: `run.yaml:7`, `--max-steps`. */
export type Locate = (path: readonly PropertyKey[]) => string | undefined

/** Names that are known at a path. */
function knownAt(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(trainConfigSchema.shape)
  if (path[0] === 'peft') return peftKeys
  const inner = trainConfigSchema.shape[path[0] as keyof typeof trainConfigSchema.shape] as z.ZodDefault<z.ZodObject>
  return Object.keys(inner.unwrap().shape)
}

/** Where something was written, before a message about it. */
function place(locate: Locate, path: readonly PropertyKey[]): string {
  const found = locate(path)
  return found === undefined ? '' : `${found}: `
}

/** @param nameOf the key as its user wrote it */
function describe(issue: z.core.$ZodIssue, locate: Locate, nameOf: (path: readonly PropertyKey[]) => string): string {
  const at = (path: readonly PropertyKey[]): string => place(locate, path)
  if (issue.code === 'unrecognized_keys') {
    const known = knownAt(issue.path)
    return issue.keys
      .map(key => {
        const path = [...issue.path, key]
        return `${at(path)}unknown key '${path.join('.')}'${suggestion(key, known)}`
      })
      .join('; ')
  }
  const name = nameOf(issue.path)
  if (issue.input === undefined) return `${name}: is needed`
  const { code, message, input } = issue
  if (code === 'invalid_type' && ['string', 'number', 'boolean'].includes(typeof input)) {
    return `${at(issue.path)}${name}: expected ${withArticle(issue.expected)}, found ${JSON.stringify(input)}`
  }
  return `${at(issue.path)}${name}: ${message}`
}

/** `a number`, `an array` */
const withArticle = (noun: string): string => `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`

/** What the schema cannot say of one key alone. */
function contradictions(config: TrainConfig): string[] {
  const faults: string[] = []
  const evaluates = config.validation_file !== undefined || config.validation_split !== undefined
  const needs = (key: string, isSet: boolean): void => {
    if (isSet && !evaluates) faults.push(`${key}: needs a validation_file or a validation_split`)
  }
  needs('load_best_model_at_end', config.load_best_model_at_end)
  needs('early_stopping_patience', config.early_stopping_patience !== undefined)
  needs('eval_steps', config.eval_steps !== undefined)
  needs('eval_strategy', config.eval_strategy !== undefined && config.eval_strategy !== 'no')
  needs("save_strategy 'best'", config.save_strategy === 'best')
  if (config.eval_strategy === 'steps' && config.eval_steps === undefined) {
    faults.push("eval_strategy: 'steps' needs eval_steps")
  }
  if (config.eval_strategy === 'no') {
    const needed = (['load_best_model_at_end', 'early_stopping_patience'] as const).filter(key => config[key])
    for (const key of needed) faults.push(`${key}: needs evaluations, and eval_strategy is 'no'`)
  }
  const { lr_scheduler_kwargs: kwargs } = config
  if (
    config.lr_scheduler_type === 'cosine_with_min_lr' &&
    (kwargs.min_lr === undefined) === (kwargs.min_lr_rate === undefined)
  ) {
    faults.push('lr_scheduler_kwargs: cosine_with_min_lr needs either min_lr or min_lr_rate')
  }
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

/** What one place says of a configuration: a file, or flags. */
export interface ConfigLayer {
  readonly values: unknown
  readonly locate: Locate
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const peftTypeOf = ({ values }: ConfigLayer): unknown =>
  isMapping(values) && isMapping(values.peft) ? values.peft.peft_type : undefined

/** The adapter of a later layer over that of an earlier one; another method begins anew. */
function mergedAdapter(before: unknown, after: unknown, type: unknown): unknown {
  if (after === undefined || (after !== undefined && !isMapping(after))) return after ?? before
  const kept = isMapping(before) && (before.peft_type ?? 'LORA') === type ? before : {}
  return { ...kept, ...after }
}

/**
 * A run's configuration from keys of this schema, and from names of Transformers, TRL and PEFT that mean the same; a later layer overrides
 * earlier ones. Throws INVALID_ARGUMENT that names every fault: an unknown key with the nearest known one, a known name that is
 * not done with the reason.
 * @param note told of every key that has no effect here
 */
export function parseTrainLayers(layers: readonly ConfigLayer[], note: (line: string) => void = () => {}): TrainConfig {
  const type = layers.map(peftTypeOf).findLast(found => found !== undefined) ?? 'LORA'
  const keys = peftKeysOf(type)
  const translated = layers.map(({ values, locate }) => ({
    ...translateNames(isMapping(values) ? values : {}, keys),
    locate
  }))
  let values: Readonly<Record<string, unknown>> = {}
  for (const layer of translated) {
    const peft = mergedAdapter(values.peft, layer.values.peft, type)
    values = { ...values, ...layer.values, ...(peft === undefined ? {} : { peft }) }
  }
  if (isMapping(values.peft)) values = { ...values, peft: { peft_type: type, ...values.peft } }
  const whole = layers.find(layer => !isMapping(layer.values))
  const result = trainConfigSchema.safeParse(whole === undefined ? values : whole.values, { reportInput: true })
  /** Who set the value at a path, and under which name. */
  const originOf = (path: readonly PropertyKey[]) => {
    for (const { origins, locate } of translated.toReversed()) {
      for (let length = path.length; length > 0; length--) {
        const origin = origins.get(path.slice(0, length).join('.'))
        if (origin !== undefined) return { written: [...origin, ...path.slice(length)], locate }
      }
    }
    return { written: path, locate: layers[0]?.locate ?? (() => undefined) }
  }
  const locate: Locate = path => {
    const { written, locate: find } = originOf(path)
    return find(written)
  }
  const nameOf = (path: readonly PropertyKey[]): string => originOf(path).written.join('.')
  const answers = translated.flatMap(({ faults, locate }) =>
    faults.map(({ path, message }) => `${place(locate, path)}${message}`)
  )
  const others = result.success
    ? contradictions(result.data)
    : result.error.issues.map(issue => describe(issue, locate, nameOf))
  const faults = [...answers, ...others]
  if (faults.length > 0) throw new SwarmError('INVALID_ARGUMENT', `training configuration: ${faults.join('; ')}`)
  for (const line of translated.flatMap(({ notes }) => notes)) note(line)
  return filled(result.data!)
}

/** The same for one file or object. */
export function parseTrainConfig(
  value: unknown,
  locate: Locate = () => undefined,
  note?: (line: string) => void
): TrainConfig {
  return parseTrainLayers([{ values: value, locate }], note)
}
