// Shell completion, written from commander's own tree as a script that needs no Node: starting the program takes too long for
// each press of a key. Knows bash, zsh and fish.
import type { Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** Values of options that commander does not check itself. */
const words = new WeakMap<Option, readonly string[]>()

/** Says which values of an option a shell offers. */
export function completeWith(option: Option, values: readonly string[]): Option {
  words.set(option, values)
  return option
}

const valuesOf = (option: Option): readonly string[] => option.argChoices ?? words.get(option) ?? []

const shown = (command: Command): readonly Option[] => command.options.filter(({ hidden }) => !hidden)

const takesValue = ({ required, optional }: Option): boolean => required || optional

/** What may stand first after a command: its commands, or the values of its first argument. */
const firstWords = (command: Command): readonly string[] => [
  ...command.commands.map(each => each.name()),
  ...(command.registeredArguments[0]?.argChoices ?? [])
]

/** The start of a description, in one line. */
function summary(description: string): string {
  const [first] = description.split(/[;(\n]/)
  return first!.trim()
}

function bash(program: Command): string {
  const offer = `_${program.name()}_offer`
  const cases = program.commands.map(command => {
    const options = shown(command)
    const valued = options.filter(option => valuesOf(option).length > 0)
    const known = valued.map(
      option =>
        `        ${[option.short, option.long].filter(Boolean).join('|')}) ${offer} "${valuesOf(option).join(' ')}"; return ;;`
    )
    const paths = options.filter(option => option.required && valuesOf(option).length === 0)
    const free = `        ${paths.flatMap(({ short, long }) => [short, long].filter(Boolean)).join('|')}) return ;;`
    const all = [...options.map(({ long, short }) => long ?? short), '--help'].join(' ')
    const choices = firstWords(command).join(' ')
    return [
      `    ${command.name()})`,
      '      case "$previous" in',
      ...known,
      ...(paths.length > 0 ? [free] : []),
      '      esac',
      `      if [[ "$current" == -* ]]; then ${offer} "${all}"${choices ? `; else ${offer} "${choices}"` : ''}; fi ;;`
    ].join('\n')
  })
  const names = [...program.commands.map(command => command.name()), 'help', '--help', '--version'].join(' ')
  return `# bash completion of ${program.name()}: source <(${program.name()} completion bash)
${offer}() { COMPREPLY=($(compgen -W "$1" -- "\${COMP_WORDS[COMP_CWORD]}")); }
_${program.name()}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ "\${COMP_WORDS[i]}" != -* ]]; then command="\${COMP_WORDS[i]}"; break; fi
  done
  case "$command" in
    "") ${offer} "${names}" ;;
${cases.join('\n')}
  esac
}
# without a word to offer, names of files
complete -o bashdefault -o default -F _${program.name()} ${program.name()}
`
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

function zsh(program: Command): string {
  const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, '\\$&')
  const specOf = (option: Option): string[] => {
    const flags = [option.short, option.long].filter(flag => flag !== undefined)
    const values = valuesOf(option)
    const action = values.length > 0 ? `(${values.join(' ')})` : '_files'
    const value = takesValue(option) ? `:${option.optional ? ':' : ''}${option.attributeName()}:${action}` : ''
    const exclusive = option.variadic ? '*' : `(${flags.join(' ')})`
    return flags.map(flag => quoted(`${exclusive}${flag}[${escaped(summary(option.description))}]${value}`))
  }
  const cases = program.commands.map(command => {
    const choices = command.registeredArguments[0]?.argChoices
    const rest =
      choices === undefined ? '*:file:_files' : `1:${command.registeredArguments[0]!.name()}:(${choices.join(' ')})`
    const specs = [...shown(command).flatMap(specOf), quoted('(-h --help)--help[display help]'), quoted(rest)]
    return `    ${command.name()}) _arguments -s ${specs.join(' \\\n      ')} ;;`
  })
  const names = program.commands.map(each => quoted(`${each.name()}:${escaped(summary(each.description()))}`))
  const name = `_${program.name()}`
  return `#compdef ${program.name()}
# zsh completion of ${program.name()}: source <(${program.name()} completion zsh), or a file ${name} in a folder of fpath
${name}() {
  local -a commands
  commands=(
    ${names.join('\n    ')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [[ "$funcstack[1]" == "${name}" ]]; then ${name} "$@"; else compdef ${name} ${program.name()}; fi
`
}

function fish(program: Command): string {
  const escaped = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
  const start = `complete -c ${program.name()}`
  const lines = program.commands.flatMap(command => {
    const inside = `${start} -n ${escaped(`__fish_seen_subcommand_from ${command.name()}`)}`
    const choices = command.registeredArguments[0]?.argChoices
    return [
      `${start} -n __fish_use_subcommand -f -a ${command.name()} -d ${escaped(summary(command.description()))}`,
      ...(choices === undefined ? [] : [`${inside} -f -a ${escaped(choices.join(' '))}`]),
      ...shown(command).map(option => {
        const flags = [option.long && `-l ${option.long.slice(2)}`, option.short && `-s ${option.short.slice(1)}`]
        const values = valuesOf(option)
        const value = values.length > 0 ? [`-x -a ${escaped(values.join(' '))}`] : option.required ? ['-r'] : []
        return [inside, ...flags.filter(Boolean), ...value, `-d ${escaped(summary(option.description))}`].join(' ')
      })
    ]
  })
  return `# fish completion of ${program.name()}: ${program.name()} completion fish | source\n${lines.join('\n')}\n`
}

const writers = { bash, zsh, fish } as const satisfies Record<Shell, (program: Command) => string>

/** A script that the shell reads at its start. */
export const completionScript = (program: Command, shell: Shell): string => writers[shell](program)
