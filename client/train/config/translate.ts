// A configuration under the names of others as one under the names here. Pure.
import { adapterReaderOf, type ForeignValues, type Reading, readerOf } from './foreign-names.ts'

/** A configuration with its values under the names here. */
export interface Translation {
  readonly values: ForeignValues
  /** keys of the configuration that a value of another name became, for messages: `peft.r` -> [`lora_r`] */
  readonly origins: ReadonlyMap<string, readonly string[]>
  readonly notes: readonly string[]
  readonly faults: readonly { readonly path: readonly string[]; readonly message: string }[]
}

const isSection = (value: unknown): value is ForeignValues =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * ForeignValues of a configuration with names of Transformers, TRL, PEFT and others under the names here. Keys that are null are not set. Other
 * keys stay as they are.
 * @param adapterKeys keys that the method of the peft section knows; undefined where there is no such method
 */
export function translateNames(given: ForeignValues, adapterKeys: ReadonlySet<string> | undefined): Translation {
  // maps: a key called __proto__ is a key like any other
  const values = new Map<string, unknown>()
  const adapterValues = new Map<string, unknown>()
  const origins = new Map<string, readonly string[]>()
  const notes: string[] = []
  const faults: { path: readonly string[]; message: string }[] = []
  const take = (path: readonly string[], { values: found = {}, note, fault }: Reading): void => {
    const name = path.join('.')
    if (note !== undefined) notes.push(note)
    if (fault !== undefined) faults.push({ path, message: `${name}: ${fault}` })
    for (const [key, value] of Object.entries(found)) {
      const [ours, target, entries] =
        key === 'peft'
          ? ['peft.', adapterValues, Object.entries(value as ForeignValues)]
          : ['', values, [[key, value] as const]]
      for (const [inner, one] of entries as [string, unknown][]) {
        const whole = `${ours}${inner}`
        const before = origins.get(whole)
        if (before !== undefined && JSON.stringify(target.get(inner)) !== JSON.stringify(one)) {
          faults.push({ path, message: `${name}: says another value than ${before.join('.')} (both mean ${whole})` })
          continue
        }
        target.set(inner, one)
        origins.set(whole, path)
      }
    }
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === null || name === 'peft') continue
    const reader = readerOf(name)
    if (reader === undefined) take([name], { values: { [name]: value } })
    else take([name], reader(value, name))
  }
  const { peft } = given
  if (peft !== undefined && peft !== null && !isSection(peft)) values.set('peft', peft)
  if (isSection(peft)) {
    for (const [name, value] of Object.entries(peft)) {
      const reader = adapterKeys === undefined || adapterKeys.has(name) ? undefined : adapterReaderOf(name)
      if (reader !== undefined) take(['peft', name], reader(value, `peft.${name}`))
      else if (value !== null) take(['peft', name], { values: { peft: { [name]: value } } })
    }
    values.set('peft', {})
  }
  if (adapterValues.size > 0) values.set('peft', Object.fromEntries(adapterValues))
  return { values: Object.fromEntries(values), origins, notes, faults }
}
