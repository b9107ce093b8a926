// swarm completion: prints a script that makes a shell complete commands, options and their values.
import { Argument, Command } from 'commander'
import { completionScript, type Shell, shells } from '../options/completion.ts'
import { screen } from '../terminal/terminal.ts'

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script for the completion of commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .action((shell: Shell, _: unknown, command: Command) => {
      screen.print(completionScript(command.parent!, shell).trimEnd())
    })
    .addHelpText(
      'after',
      `
Examples:
  $ swarm completion bash > ~/.local/share/bash-completion/completions/swarm
  $ swarm completion zsh > "\${fpath[1]}/_swarm"
  $ swarm completion fish > ~/.config/fish/completions/swarm.fish`
    )
}
