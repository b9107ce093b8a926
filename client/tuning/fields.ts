// The treatment of each field of adapter_config.json. A field that no table knows may change the answer, so it is an
// error. Pure.
import { SwarmError } from '../../common/errors.ts'
import { isInactive, quoteForeign } from '../../common/foreign-json.ts'
import { suggestion } from '../../common/names.ts'

/**
 * - `read`: the method's settings are made of it
 * - `idle`: it changes neither what the adapter computes nor what it computes after more training
 * - `model`: it describes the base model and must agree with it
 * - `only`: the method here does one value of it, PEFT's default; `why` says what to do about others
 */
export type FieldRule = 'read' | 'idle' | 'model' | { readonly only: unknown; readonly why?: string }

/** Rules by the names of the fields. */
export type FieldTable = Readonly<Record<string, FieldRule>>

type Fields = Readonly<Record<string, unknown>>

/** Fields of every configuration of PEFT. */
export const commonFields = {
  auto_mapping: 'idle',
  base_model_name_or_path: 'idle',
  inference_mode: 'idle',
  peft_type: 'read',
  peft_version: 'idle',
  revision: 'idle',
  task_type: 'read'
} as const satisfies FieldTable

/** Fields that the methods with virtual tokens have beside these. */
export const promptFields = {
  ...commonFields,
  modules_to_save: 'read',
  num_attention_heads: 'idle',
  num_layers: 'idle',
  num_transformer_submodules: 'model',
  num_virtual_tokens: 'read',
  token_dim: 'model'
} as const satisfies FieldTable

/** The value of a field, undefined where it is inactive: null, false or empty. */
export const present = (value: unknown): unknown => (isInactive(value) ? undefined : value)

/** JSON values that are the same; keys in any order. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const keys = Object.keys(one)
  if (keys.length !== Object.keys(other).length) return false
  return keys.every(key => Object.hasOwn(other, key) && isSame((one as Fields)[key], (other as Fields)[key]))
}

/**
 * Throws UNSUPPORTED, with every field, the value found and the value expected, for fields that could change the answer: those
 * that the table does not know and that are active, and those with a value that the method does not do here.
 */
export function checkFields(table: FieldTable, fields: Fields, file: string): void {
  const faults = Object.entries(fields).flatMap(([field, value]) => {
    if (isInactive(value)) return []
    const rule = Object.hasOwn(table, field) ? table[field] : undefined
    const found = `${field}: found ${quoteForeign(value)}`
    if (rule === undefined) {
      const near = suggestion(field, Object.keys(table))
      return `${found}, and nothing here knows this field${near}: it may change the answer (remove it if it does not)`
    }
    if (typeof rule === 'string' || isSame(value, rule.only)) return []
    const { only, why = `this variant of ${fields.peft_type} is not supported` } = rule
    return `${found}, expected ${JSON.stringify(only)} (${why})`
  })
  if (faults.length > 0) throw new SwarmError('UNSUPPORTED', `${file}: ${faults.join('; ')}`)
}

/**
 * Throws BAD_CHECKPOINT where a field that describes the base model differs from `expected`, what an adapter of the opened model
 * has there.
 */
export function checkModelFields(table: FieldTable, fields: Fields, expected: Fields, file: string): void {
  for (const [field, rule] of Object.entries(table)) {
    const value = fields[field]
    if (rule !== 'model' || isInactive(value) || isSame(value, expected[field])) continue
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${file}: ${field}: expected ${JSON.stringify(expected[field])}, found ${quoteForeign(value)} (is it of another base model?)`
    )
  }
}
