// The flags of `swarm train`, made from the schema of its configuration, and what they say as values of that configuration.
import { type Command, Option } from 'commander'
import { parse } from 'yaml'
import { z } from 'zod'
import { peftKeys, trainConfigSchema } from '../../client/index.ts'
import { foreignSwitches, foreignValues, trainConfigGroups } from '../../client/train/config/index.ts'
import { completeWith } from '../options/completion.ts'

/** What a JSON Schema says of one key. */
interface KeySchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly KeySchema[]
  readonly oneOf?: readonly { properties: Record<string, KeySchema> }[]
}

const properties = z.toJSONSchema(trainConfigSchema, { io: 'input' }).properties as Record<string, KeySchema>

/** Methods of the peft section that know a key. */
const ownersOf = (key: string) => properties.peft!.oneOf!.filter(method => key in method.properties)

const nameOf = (method: { properties: Record<string, KeySchema> }): string =>
  (method.properties.peft_type as { const?: string }).const!

/** Keys of the peft section. */
const peftProperties = Object.fromEntries(
  peftKeys.map(key => {
    const own = ownersOf(key)[0]!.properties[key]!
    const { const: _, ...schema } = own as KeySchema & { const?: string }
    return [key, key === 'peft_type' ? { ...schema, enum: ownersOf(key).map(nameOf) } : own]
  })
)

/** Under which heading a key of the peft section stands: its methods, or all. */
function peftGroup(key: string): string {
  const names = ownersOf(key).map(nameOf)
  return names.length === properties.peft!.oneOf!.length ? 'Adapter:' : `Adapter, ${names.join(', ')}:`
}

/** Have an option of their own, which other commands share, or are set by a section. */
const elsewhere: ReadonlySet<string> = new Set(['initial_peers', 'peft'])

const short: Readonly<Record<string, string>> = { output_dir: '-o, ' }

const takesMany = ({ type, anyOf }: KeySchema): boolean => type === 'array' || (anyOf?.some(takesMany) ?? false)

const kebab = (key: string): string => key.replaceAll('_', '-')

/** How help names a flag's value. */
function placeholderOf(schema: KeySchema): string {
  if (takesMany(schema)) return ' <values...>'
  if (schema.type === 'boolean') return ''
  if (schema.type === 'integer') return ' <count>'
  if (schema.type === 'number') return ' <number>'
  return schema.enum !== undefined ? ' <name>' : schema.type === 'string' ? ' <text>' : ' <value>'
}

function defaultOf({ type, default: value }: KeySchema): string | undefined {
  if (type === 'boolean') return value === undefined ? undefined : `default: ${value ? 'on' : 'off'}`
  return ['string', 'number', 'boolean'].includes(typeof value) ? `default: ${value}` : undefined
}

function optionOf(key: string, schema: KeySchema): Option {
  // a default that depends on something else is said by the description
  const [, meaning, said] = /^(.*?)(?:; (default: .*))?$/.exec(schema.description ?? '')!
  const notes = [schema.enum?.join(', '), said ?? defaultOf(schema)].filter(Boolean)
  const description = `${meaning}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`
  const option = new Option(`${short[key] ?? ''}--${kebab(key)}${placeholderOf(schema)}`, description)
  return completeWith(option, schema.enum?.map(String) ?? [])
}

function addOption(command: Command, key: string, schema: KeySchema, group: string): void {
  if (elsewhere.has(key)) return
  command.addOption(optionOf(key, schema).helpGroup(group))
  if (schema.type === 'boolean') command.addOption(new Option(`--no-${kebab(key)}`).hideHelp())
}

/** Take names of modules. */
const foreignLists: ReadonlySet<string> = new Set(['lora_modules_to_save', 'lora_target', 'lora_target_modules'])

/** Names of Transformers, TRL and others, but those that flags of `swarm train` have too, or that commander reads as a negation. */
const [foreignFlags, foreignSwitchFlags] = [foreignValues, foreignSwitches].map(keys =>
  keys.filter(
    key => ![properties, peftProperties].some(own => Object.hasOwn(own, key)) && !/^(?:log_level|no_)/.test(key)
  )
) as [string[], string[]]

/** Hidden, but answered as in a file. */
function addForeignOptions(command: Command): void {
  const add = (key: string, value: string) => command.addOption(new Option(`--${kebab(key)}${value}`).hideHelp())
  for (const key of foreignSwitchFlags) add(key, '')
  for (const key of foreignFlags) add(key, foreignLists.has(key) ? ' <values...>' : ' <value>')
}

/** A switch may also be set to false: `--no-packing`, over a file that sets it. */
export function addConfigOptions(command: Command): Command {
  for (const [group, keys] of Object.entries(trainConfigGroups)) {
    for (const key of keys) addOption(command, key, properties[key]!, `${group}:`)
  }
  const peft = Map.groupBy(Object.keys(peftProperties), peftGroup)
  for (const [group, keys] of peft) for (const key of keys) addOption(command, key, peftProperties[key]!, group)
  addForeignOptions(command)
  return command
}

/** A flag's text as the value that YAML would make of it, but where a text is wanted. */
function parseFlag(key: string, schema: KeySchema, given: unknown): unknown {
  if (typeof given === 'boolean') return given
  if (Array.isArray(given)) {
    const [first] = given as string[]
    // one text is a regular expression or all-linear, not a list of one name
    const isPattern = key === 'target_modules' && given.length === 1 && /^all-linear$|[\\^$*+?()|[\]{}]/.test(first!)
    return isPattern ? first : given.map(text => (key === 'layers_to_transform' ? parse(text) : text))
  }
  const text = String(given)
  if (key === 'peft_type') return text.toUpperCase().replaceAll('-', '_')
  return schema.type === 'string' ? text : parse(text)
}

const attributeOf = (key: string): string =>
  kebab(key).replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

function given(from: Readonly<Record<string, unknown>>, schemas: Readonly<Record<string, KeySchema>>) {
  return Object.fromEntries(
    Object.entries(schemas).flatMap(([key, schema]) => {
      const flag = from[attributeOf(key)]
      return flag === undefined ? [] : [[key, parseFlag(key, schema, flag)]]
    })
  )
}

/** A text as YAML reads it where that is a number, a truth value or null. */
const plainValue = (text: string): unknown => (/^(?:[-+\d.e]+|true|false|null)$/i.test(text) ? parse(text) : text)

function foreignValuesOf(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    [...foreignSwitchFlags, ...foreignFlags].flatMap(key => {
      const flag = flags[attributeOf(key)]
      if (flag === undefined) return []
      if (foreignLists.has(key)) return [[key, parseFlag('target_modules', {}, flag)]]
      return [[key, typeof flag === 'string' ? plainValue(flag) : flag]]
    })
  )
}

/** What flags set of the configuration; keys that no flag names are not there. */
export function configFromFlags(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { peft: _, initial_peers, ...others } = properties
  const values: Record<string, unknown> = { ...foreignValuesOf(flags), ...given(flags, others) }
  const peft = given(flags, peftProperties)
  return Object.keys(peft).length === 0 ? values : { ...values, peft }
}

/** How the flag of a value is called. */
export function flagOf(path: readonly PropertyKey[]): string {
  return `--${kebab(String(path[0] === 'peft' ? path[1] : path[0]))}`
}
