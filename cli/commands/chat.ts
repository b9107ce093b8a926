// swarm chat: a conversation with a chat model through the swarm, typed or from a pipe.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { describeAudits } from '../../client/index.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { writeWhole } from '../../common/files/whole-file.ts'
import { Chat } from '../chat/chat.ts'
import { ChatHistory } from '../chat/conversation.ts'
import { ChatInput, maxHistory } from '../chat/input.ts'
import { PipedLines } from '../chat/piped-lines.ts'
import { inWordsOfFlags } from '../errors/wording.ts'
import {
  addGenerationOptions,
  addModelOptions,
  chatModel,
  chatTemplateFor,
  type GenerationFlags,
  type ModelFlags,
  toGenerationOptions,
  withModel
} from '../generation.ts'
import { addAccessOptions } from '../options/access.ts'
import { homeFolder } from '../options/options.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { interruptSignal, messageForPerson, screen } from '../terminal/terminal.ts'

interface ChatFlags extends ModelFlags, GenerationFlags {
  system?: string
  chatTemplate?: string
  history: boolean
}

export function chatCommand(): Command {
  const command = new Command('chat')
    .description('talk with a chat model through the swarm; /help lists what can be typed')
    .argument(
      '<model>',
      'folder, GGUF file or hub name of the checkpoint; only embeddings, last norm and head are read'
    )
    .action(chat)
    .optionsGroup('Chat:')
    .option('--system <text>', 'system message (default: none)')
    .option('--chat-template <file>', "Jinja template (default: the model's own)")
    .option('--no-history', 'keep no typed lines in the home folder (default: the last 1000, for the arrow keys)')
  addGenerationOptions(command, { maxNewTokens: 1024, sampling: "as the model's generation_config.json says" })
  addLogOptions(command)
  addAccessOptions(addModelOptions(command))
  return command.addHelpText(
    'after',
    `
Examples:
  $ swarm chat Qwen/Qwen2.5-0.5B-Instruct --system "Answer in one sentence."
  $ printf 'What is a prefix?\\nAnd a suffix?\\n' | swarm chat Qwen/Qwen2.5-0.5B-Instruct`
  )
}

const historyPath = (): string => join(homeFolder(), 'chat-history')

/** Lines typed before, the newest first; none where they cannot be read. */
async function readHistory(): Promise<string[]> {
  try {
    return (await readFile(historyPath(), 'utf8')).split('\n').filter(line => line !== '')
  } catch {
    return []
  }
}

async function writeHistory(lines: readonly string[]): Promise<void> {
  try {
    await makeFolder(homeFolder(), { mode: 0o700 })
    await writeWhole(historyPath(), `${lines.slice(0, maxHistory).join('\n')}\n`, { mode: 0o600 })
  } catch (error) {
    screen.notice(`typed lines are not kept: ${messageForPerson(error)} (--no-history keeps none)`)
  }
}

async function chat(path: string, flags: ChatFlags, command: Command): Promise<void> {
  let talk: Chat | undefined
  const interrupt = interruptSignal({ takesInterrupt: () => talk?.interrupt() ?? false })
  const { signal } = interrupt
  toGenerationOptions(flags, { draft: null, greedy: false }) // what contradicts itself is said before anything is opened
  await withModel(path, flags, signal, async ({ model: opened, draft }) => {
    const model = chatModel(opened)
    const { stdin, stdout } = process
    const isInteractive = Boolean(stdin.isTTY && stdout.isTTY)
    const template = await chatTemplateFor(model.tokenizer, flags.chatTemplate, 'use swarm generate')
    const keeps = isInteractive && flags.history
    const history = keeps ? await readHistory() : []
    const typed = isInteractive ? new ChatInput({ input: stdin, terminal: stdout, screen, history }) : undefined
    talk = new Chat({
      model,
      conversation: new ChatHistory({ tokenizer: model.tokenizer, template }, flags.system),
      input: typed ?? new PipedLines(stdin),
      screen,
      isInteractive,
      options: toGenerationOptions(flags, { draft, greedy: false }),
      describe: error => inWordsOfFlags(messageForPerson(error), command.parent!),
      signal
    })
    // the editor takes Ctrl-C from the keyboard; whatever does not stop an answer goes on as the signal that it is
    typed?.onInterrupt(() => {
      // not process.kill: on Windows that ends the process without asking those who listen
      if (!talk!.interrupt()) process.emit('SIGINT', 'SIGINT')
    })
    if (isInteractive) screen.notice('Type a message; /help lists commands.')
    try {
      await talk.run()
    } finally {
      if (typed && keeps && typed.history !== history) await writeHistory(typed.history)
    }
    const audits = await model.audits()
    if (audits !== null) screen.error(describeAudits(audits).join('\n'))
    interrupt.release()
  })
}
