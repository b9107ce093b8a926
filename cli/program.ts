// The swarm command as a whole: its commands, how they are parsed, and the status that a run ends with.
import { Command, CommanderError, type OutputConfiguration } from 'commander'
import { version } from '../common/version.ts'
import { commands } from './commands/index.ts'
import { allCommands, inWordsOfFlags } from './errors/wording.ts'
import { arrangeArguments } from './options/arguments.ts'
import { exitStatus, reportError, signalStatus } from './terminal/terminal.ts'
import { versionReport } from './versions.ts'

/** @param output where help and usage errors go; default: the standard streams */
export function createProgram(output: OutputConfiguration = {}): Command {
  const program = new Command('swarm')
    .description('Run and fine-tune large transformer models on a swarm of ordinary machines')
    .option('-V, --version', 'print the release, and the versions of what it runs on')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'swarm: ')), ...output })
    .showHelpAfterError("Run 'swarm --help' for usage.")
    .exitOverride()
  program.on('option:version', () => {
    program.configureOutput().writeOut?.(`${versionReport()}\n`)
    throw new CommanderError(0, 'commander.version', version)
  })
  for (const create of commands) program.addCommand(inherit(create(), program, 'swarm'))
  return program
}

/** Gives a command, and those below it, the settings of the program. */
function inherit(command: Command, program: Command, path: string): Command {
  const name = `${path} ${command.name()}`
  for (const each of command.commands) inherit(each, program, name)
  command.copyInheritedSettings(program).showHelpAfterError(`Run '${name} --help' for usage.`)
  return command.enablePositionalOptions(command.commands.length > 0)
}

/** An option's variable that is empty is not set. So are those that the hub's library reads. */
function unsetEmptyVariables(program: Command): void {
  const named = allCommands(program).flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? []))
  for (const name of [...named, 'HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME']) {
    if (process.env[name]?.trim() === '') delete process.env[name]
  }
}

/**
 * Parses a command line and runs its command. Reports what goes wrong on standard error.
 * @param argv without the program's own name
 * @returns the exit status; undefined: what the command has set, else 0
 */
export async function runProgram(argv: readonly string[], program = createProgram()): Promise<number | undefined> {
  if (argv.length === 0) {
    program.outputHelp()
    return 0
  }
  const [first, about] = argv
  if (first === 'help' && about !== undefined && !program.commands.some(each => each.name() === about)) {
    return await runProgram([about], program) // says that there is no such command, and which is near
  }
  // options of `api keys` are its own, though `api` has some of the same names
  program.enablePositionalOptions(program.commands.some(each => each.name() === first && each.commands.length > 0))
  unsetEmptyVariables(program)
  try {
    await program.parseAsync(arrangeArguments(program, argv), { from: 'user' })
    return signalStatus()
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitStatus.usage
    return reportError(error, message => inWordsOfFlags(message, program))
  }
}
