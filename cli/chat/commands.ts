// The commands of a chat: lines that start with a slash.
import { resolve } from 'node:path'
import { writeNew } from '../../common/files/whole-file.ts'
import { suggestion } from '../../common/names.ts'
import { UsageError } from '../errors/usage.ts'
import type { ChatHistory } from './conversation.ts'

/** What a command works on. */
export interface ChatContext {
  readonly conversation: ChatHistory
  /** Prints a line for the person. */
  say(line: string): void
}

interface ChatCommand {
  readonly usage: string
  readonly help: string
  /** true: the chat ends */
  run(context: ChatContext, argument: string): Promise<boolean | undefined> | boolean | undefined
}

/** `chat-20261130-164207.jsonl`, local time */
function fileName(now: Date): string {
  const digits = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${digits(now.getMonth() + 1)}${digits(now.getDate())}`
  return `chat-${day}-${[now.getHours(), now.getMinutes(), now.getSeconds()].map(digits).join('')}.jsonl`
}

async function save({ conversation, say }: ChatContext, argument: string): Promise<undefined> {
  if (conversation.turns === 0) throw new UsageError('/save: nothing has been said yet')
  const path = resolve(argument || fileName(new Date()))
  if (!(await writeNew(path, conversation.toJson()))) {
    throw new UsageError(`/save: ${path} is there already: give another name`)
  }
  say(`saved ${conversation.turns} messages in ${path}, a row for swarm train`)
}

function setSystem({ conversation, say }: ChatContext, argument: string): undefined {
  if (argument === '') {
    say(conversation.system === undefined ? 'no system message is set' : `system message: ${conversation.system}`)
    return
  }
  conversation.system = argument === '-' ? undefined : argument
  say(
    argument === '-' ? 'the system message is removed' : 'the system message is set; it counts from the next message on'
  )
}

const chatCommands: Readonly<Record<string, ChatCommand>> = {
  help: { usage: '/help', help: 'show this list', run: ({ say }) => void say(chatHelp()) },
  system: {
    usage: '/system [text]',
    help: 'set the system message; show it without a text; - removes it',
    run: setSystem
  },
  reset: {
    usage: '/reset',
    help: 'forget the conversation, keep the system message',
    run: ({ conversation, say }) => {
      conversation.reset()
      say('the conversation is forgotten')
      return undefined
    }
  },
  save: { usage: '/save [file]', help: 'write the conversation as a row of training data (JSON lines)', run: save },
  exit: { usage: '/exit', help: 'leave; so does Ctrl-D', run: () => true }
}

/** The list that /help prints. */
function chatHelp(): string {
  const rows = [
    ...Object.values(chatCommands).map(({ usage, help }) => [usage, help] as const),
    ['"""', 'begins and ends a message of several lines; so does a paste; or end a line with \\'] as const,
    ['//text', 'a message that begins with a slash'] as const,
    ['Ctrl-C', 'stop the answer, or drop what is typed'] as const
  ]
  return rows.map(([left, right]) => `  ${left.padEnd(16)} ${right}`).join('\n')
}

/** The command and its argument; undefined where the line is a message. Throws UsageError for a command that is none. */
export function parseChatCommand(line: string): { command: ChatCommand; argument: string } | undefined {
  const match = /^\/([a-z]+)(?:\s+([\s\S]*))?$/i.exec(line.trimEnd())
  if (match === null) return undefined
  const name = match[1]!.toLowerCase()
  const command = Object.hasOwn(chatCommands, name) ? chatCommands[name] : undefined
  if (command !== undefined) return { command, argument: match[2]?.trim() ?? '' }
  const near = suggestion(
    `/${name}`,
    Object.keys(chatCommands).map(known => `/${known}`)
  )
  throw new UsageError(`/${name}: unknown command${near}; /help lists them, //${name} sends it as a message`)
}
