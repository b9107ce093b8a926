// Orders a command line: options first, each with its values, then `--` and the arguments. So options may stand before
// arguments although some take several values, and a prompt may begin with a minus. Runs before commander parses.
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Command, Option } from 'commander'
import { UsageError } from '../errors/usage.ts'

/** Arguments that a command should have, where that is not the number of its required ones. */
const expectations = new WeakMap<Command, (given: ReadonlySet<string>) => number>()

/**
 * Says how many arguments a command should have when the options with these attribute names are given. Options that take
 * several values leave that many to it.
 */
export function expectArguments(command: Command, count: (given: ReadonlySet<string>) => number): Command {
  expectations.set(command, count)
  return command
}

/** a multiaddr, or `host:port` */
const isAddress = (text: string): boolean =>
  /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr|unix|p2p)\//.test(text) || /^(\[[\da-f:.]+\]|[\w.-]+):\d+$/i.test(text)

/** A file may be a pipe. */
const isPeerOrFile = (text: string): boolean =>
  /^(12D3Koo|16Uiu2HA|Qm)\w+$/.test(text) || statSync(text, { throwIfNoEntry: false })?.isDirectory() === false

/** Options with several values that can be told from an argument. */
const isValueOf: Readonly<Record<string, (text: string) => boolean>> = {
  join: isAddress,
  announce: isAddress,
  peer: isAddress,
  allow: isPeerOrFile,
  cors: text => text === '*' || text.includes('://'),
  trustedProxies: text => isIP(text.split('/')[0]!) !== 0,
  allowedHosts: text => !/[/\\]/.test(text) && statSync(text, { throwIfNoEntry: false }) === undefined
}

/** Begins with a minus and is still no option: a number, or text with a space. */
const isText = (token: string): boolean => token === '-' || /^-[\d.]/.test(token) || /^-[^=]*\s/.test(token)

const isOptionLike = (token: string): boolean => token.startsWith('-') && !isText(token)

/** An option with several values, at its place among the arguments. */
interface Several {
  readonly option: Option
  readonly values: string[]
}

interface Line {
  /** as commander takes them: `--name=value`, `--name`, or unknown ones as they are */
  readonly options: string[]
  readonly rest: (string | Several)[]
  /** attribute names of the options */
  readonly given: Set<string>
}

/** A token with its option's value in it (`--name=value`, `-xvalue`), or several short options at once. */
function isKnownCompound(command: Command, token: string): boolean {
  const known = (flag: string) => command.options.find(({ short, long }) => short === flag || long === flag)
  if (token.startsWith('--')) return token.includes('=') && known(token.slice(0, token.indexOf('='))) !== undefined
  return token.length > 2 && !/^-.\s/.test(token) && token.startsWith('-') && known(token.slice(0, 2)) !== undefined
}

/** undefined where the last option lacks its value: commander says so. Throws UsageError where another option stands there. */
function read(command: Command, tokens: readonly string[]): Line | undefined {
  const line: Line = { options: [], rest: [], given: new Set() }
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token === '--') {
      line.rest.push(...tokens.slice(at + 1))
      break
    }
    const option = command.options.find(({ short, long }) => token === short || token === long)
    if (option === undefined) {
      if (isKnownCompound(command, token) || isOptionLike(token)) line.options.push(token)
      else line.rest.push(token)
      continue
    }
    line.given.add(option.attributeName())
    const name = option.long ?? option.short!
    const next = tokens[at + 1]
    if (option.required && next === undefined) return undefined
    if (option.required && command.options.some(({ long }) => long === next)) {
      const hint = `'${next}' is an option; if it is the value: ${name}=${next}`
      throw new UsageError(`option '${option.flags}' lacks its value (${hint})`)
    }
    if (option.variadic && next !== undefined) {
      const values = [next]
      at++
      while (at + 1 < tokens.length && !tokens[at + 1]!.startsWith('-')) values.push(tokens[++at]!)
      line.rest.push({ option, values })
    } else if (option.required) {
      line.options.push(`${name}=${next}`)
      at++
    } else if (option.optional && next !== undefined && takesValue(option, next)) {
      line.options.push(`${name}=${next}`)
      at++
    } else line.options.push(name)
  }
  return line
}

/** Whether what follows an option with an optional value is that value. */
function takesValue(option: Option, next: string): boolean {
  if (isOptionLike(next)) return false
  // one that is parsed is a number
  return option.parseArg === undefined || /^[-\d.]/.test(next)
}

/** Values that cannot be of their option, and the last ones where the command lacks arguments, become arguments. */
function separate(command: Command, { options, rest, given }: Line): { options: string[]; operands: string[] } {
  const kept = rest.map(part => {
    if (typeof part === 'string') return { operands: [part] }
    const isValue = isValueOf[part.option.attributeName()]
    const end = part.values.findIndex((value, index) => index > 0 && isValue !== undefined && !isValue(value))
    const values = end === -1 ? part.values : part.values.slice(0, end)
    return { option: part.option, values, operands: part.values.slice(values.length) }
  })
  const required = command.registeredArguments.filter(argument => argument.required).length
  const expected = expectations.get(command)?.(given) ?? required
  let missing = expected - kept.reduce((sum, { operands }) => sum + operands.length, 0)
  for (const part of kept.toReversed()) {
    while (missing > 0 && part.values !== undefined && part.values.length > 1) {
      part.operands.unshift(part.values.pop()!)
      missing--
    }
  }
  return {
    options: [
      ...options,
      ...kept.flatMap(({ option, values = [] }) => values.map(value => `${option!.long ?? option!.short}=${value}`))
    ],
    operands: kept.flatMap(({ operands }) => operands)
  }
}

const subcommand = (command: Command, name: string): Command | undefined =>
  command.commands.find(each => [each.name(), ...each.aliases()].includes(name))

/** The same command line, in the order options, `--`, arguments. What names no command stays as it is. */
export function arrangeArguments(program: Command, argv: readonly string[]): string[] {
  let at = argv.findIndex(token => !token.startsWith('-'))
  let command = at === -1 ? undefined : subcommand(program, argv[at]!)
  for (let next = command; next !== undefined; ) {
    next = argv[at + 1] === undefined ? undefined : subcommand(next, argv[at + 1]!)
    if (next === undefined) break
    command = next
    at++
  }
  const line = command && read(command, argv.slice(at + 1))
  if (command === undefined || line === undefined) return [...argv]
  const { options, operands } = separate(command, line)
  return [...argv.slice(0, at + 1), ...options, ...(operands.length > 0 ? ['--', ...operands] : [])]
}
