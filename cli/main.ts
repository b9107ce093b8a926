// The swarm command: parses, runs one command, reports its error, sets the exit status.
import { Command, CommanderError } from 'commander'
import { version } from '../common/version.ts'
import { commands } from './commands/index.ts'
import { installLastResort } from './last-resort.ts'
import { reportError } from './terminal.ts'

const program = new Command('swarm')
  .description('Run and fine-tune large transformer models on a swarm of ordinary machines')
  .version(version)
  .showHelpAfterError('(swarm --help shows what there is)')
  .exitOverride()
for (const command of commands) program.addCommand(command().exitOverride().copyInheritedSettings(program))

installLastResort()

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = error instanceof CommanderError ? error.exitCode : reportError(error)
}
