// The options for the verbosity of a command: --log-level, --verbose, --quiet, --log-format.
import { type Command, Option } from 'commander'
import { type LogLevel, logLevels } from './log.ts'
import { type LogFormat, logFormats } from './screen.ts'
import { screen } from './terminal.ts'

interface LevelFlags {
  logLevel?: LogLevel
  verbose?: number
  quiet?: boolean
}

/** The level that the flags ask for: --log-level, then --quiet or --verbose, then the environment, then the default. */
function chosenLevel(flags: LevelFlags, levelIsFromCommandLine: boolean, fallback: LogLevel): LogLevel {
  if (levelIsFromCommandLine) return flags.logLevel!
  if (flags.quiet) return fallback === 'silent' ? 'silent' : 'error'
  if (flags.verbose) return flags.verbose > 1 ? 'debug' : 'info'
  return flags.logLevel ?? fallback
}

const quietOption = (): Option => new Option('-q, --quiet', 'print only results and errors: no progress, no notices')

/** Adds --quiet, for commands that log nothing. */
export function addQuietOption(command: Command): Command {
  return command.addOption(quietOption()).hook('preAction', (_, action) => {
    screen.quiet = action.opts<{ quiet?: boolean }>().quiet ?? false
  })
}

/**
 * Adds --log-level, --verbose, --quiet and --log-format. The action finds the resulting level as `logLevel`.
 * @param fallback level without any of them
 */
export function addLogOptions(command: Command, fallback: LogLevel = 'warn'): Command {
  return command
    .optionsGroup('Output:')
    .addOption(
      new Option('--log-level <level>', `log lines to print on stderr (default: ${fallback})`)
        .choices(logLevels)
        .env('SWARM_LOG')
    )
    .addOption(
      new Option('-v, --verbose', 'log more: --log-level info, twice: debug').argParser(
        (_, before: number | undefined) => (before ?? 0) + 1
      )
    )
    .addOption(quietOption().conflicts('verbose'))
    .addOption(
      new Option('--log-format <format>', 'format of log lines (default: pretty on a terminal, else json)')
        .choices(logFormats)
        .env('SWARM_LOG_FORMAT')
    )
    .hook('preAction', (_, action) => {
      const { quiet, logFormat } = action.opts<{ quiet?: boolean; logFormat?: LogFormat }>()
      screen.quiet = quiet ?? false
      screen.logFormat = logFormat
      const isGiven = action.getOptionValueSource('logLevel') === 'cli'
      action.setOptionValue('logLevel', chosenLevel(action.opts(), isGiven, fallback))
    })
}
