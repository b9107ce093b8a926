// swarm api: serves models of a swarm to programs that speak OpenAI's, Anthropic's or Ollama's API, and a page to people.
import { Command } from 'commander'
import { type ApiFlags, addGatewayOptions } from '../gateway/options.ts'
import { addBaseModelOptions } from '../generation.ts'
import { addAccessOptions } from '../options/access.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { interruptSignal } from '../terminal/terminal.ts'
import { apiKeysCommand } from './api-keys.ts'

export function apiCommand(): Command {
  const command = new Command('api')
    .description('serve an OpenAI-compatible API and a web page over models of a swarm')
    .argument('<model...>', 'folders, GGUF files or hub names; only embeddings, last norm and head are read')
    .action(api)
  command.addCommand(apiKeysCommand())
  addAccessOptions(addBaseModelOptions(addGatewayOptions(command)))
  return addLogOptions(command).addHelpText(
    'after',
    `
Examples:
  $ swarm api models/tiny --join 192.168.1.5:31330
  $ swarm api Qwen/Qwen2.5-0.5B-Instruct --swarm home --port 8080`
  )
}

async function api(models: string[], flags: ApiFlags): Promise<void> {
  const interrupt = interruptSignal(flags)
  // node:sqlite and the router only where they are used: Node 22 warns of the first
  const { runGateway } = await import('../gateway/run.ts')
  await runGateway(models, flags, interrupt.signal)
  interrupt.release()
}
