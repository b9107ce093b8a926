// The SDK's messages in the words of the command line: flags instead of names of options.
import type { Command } from 'commander'

/** Names of the SDK that are no flags in camel case. */
const others: readonly (readonly [name: string, flag: string])[] = [
  ['useGenerationConfig: false', '--no-generation-config'],
  ["the option 'resume'", '--resume'],
  ["the option 'logger'", '--log-level'],
  ['greedy is doSample: false', 'greedy is --temperature 0'],
  ['promptLookupNumTokens', '--speculate'],
  ['numAssistantTokens', '--speculate'],
  ['stopStrings', '--stop'],
  ['initialPeers', '--join'],
  ['identityPath', '--identity']
]

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Every command of a program, also those below others. */
export function allCommands(command: Command): Command[] {
  return command.commands.flatMap(each => [each, ...allCommands(each)])
}

/** The message with each name that is an option of the SDK replaced by its flag. Parts of paths and of other names stay. */
export function inWordsOfFlags(message: string, program: Command): string {
  const flags = new Map(others)
  for (const option of allCommands(program).flatMap(({ options }) => options)) {
    const name = option.attributeName()
    if (/[a-z][A-Z]/.test(name) && option.long && !option.negate) flags.set(name, option.long)
  }
  const names = [...flags.keys()].toSorted((a, b) => b.length - a.length).map(escaped)
  const pattern = new RegExp(`(?<![\\w/.\\\\'-])(${names.join('|')})(?![\\w/\\\\'-]|\\.\\w)`, 'g')
  // a single word is a name only at the start: `temperature: expected …`, `memory: not …`
  const single = /^(?:generate: )?(temperature|seed|codec|adapter|draft|memory)(?=: (?:expected|not ))/
  return message.replace(single, '--$1').replaceAll(pattern, name => flags.get(name)!)
}
