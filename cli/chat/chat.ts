// A chat: reads messages, answers each through the swarm, and keeps the conversation. A stop ends an answer, not the
// chat.

import { type CausalModel, type GenerationOptions, SwarmError } from '../../client/index.ts'
import { onAbort } from '../../common/async.ts'
import { openAnswer } from '../terminal/progress.ts'
import type { Screen } from '../terminal/screen.ts'
import { type ChatContext, parseChatCommand } from './commands.ts'
import { type ChatHistory, isThinking } from './conversation.ts'
import { MessageReader } from './message-reader.ts'

/** The source of a chat's lines. */
export interface ChatLines {
  /** The next line; null at the end. */
  next(prompt: string): Promise<string | null>
  /** Discards the typed text. @returns whether there was any */
  discard(): boolean
  /** Shows the prompt again, after something was printed. */
  redraw(): void
  close(): Promise<void>
}

export interface ChatInit {
  readonly model: Pick<CausalModel, 'generateStream' | 'config'>
  readonly conversation: ChatHistory
  readonly input: ChatLines
  readonly screen: Screen
  /** interactive: errors are printed and the chat continues; otherwise the first error ends it */
  readonly isInteractive: boolean
  /** of each answer */
  readonly options: GenerationOptions
  /** an error in the words of the command line */
  describe(error: unknown): string
  /** ends the chat and the current answer */
  readonly signal: AbortSignal
}

export class Chat {
  readonly #init: ChatInit
  readonly #context: ChatContext
  readonly #reader = new MessageReader()
  /** ends the answer under way */
  #answering: AbortController | null = null
  /** the next interrupt ends the chat */
  #isWarned = false

  constructor(init: ChatInit) {
    this.#init = init
    this.#context = { conversation: init.conversation, say: line => init.screen.error(line) }
  }

  /** Chats until the input ends, /exit, or the signal. Throws what an answer throws where no person types. */
  async run(): Promise<void> {
    const { input, signal, isInteractive } = this.#init
    const close = (): void => void input.close()
    const ignore = onAbort(signal, close)
    try {
      for (;;) {
        const line = await input.next(this.#reader.isOpen ? '. ' : '> ')
        if (signal.aborted) return
        if (line !== null) this.#isWarned = false
        const message = line === null ? this.#reader.end() : this.#reader.push(line)
        try {
          if (message !== undefined && (await this.#take(message))) return
        } catch (error) {
          if (signal.aborted || !isInteractive) throw error
          this.#context.say(`swarm: ${this.#init.describe(error)}`)
        }
        if (line === null) return
      }
    } finally {
      ignore()
      await input.close()
    }
  }

  /**
   * What Ctrl-C does where a person types: stops the answer, else drops what is typed, else warns once.
   * @returns false: end the chat, because there was nothing to stop or the chat is not interactive
   */
  interrupt(): boolean {
    const { input, isInteractive } = this.#init
    if (!isInteractive) return false
    if (this.#answering !== null) {
      this.#answering.abort()
      return true
    }
    const hadText = input.discard() || this.#reader.isOpen
    this.#reader.discard()
    if (!hadText && this.#isWarned) return false
    this.#isWarned = !hadText
    this.#context.say(hadText ? '' : 'Ctrl-C again, Ctrl-D or /exit leaves')
    input.redraw()
    return true
  }

  /** A command, or a message to answer. @returns whether the chat ends */
  async #take(message: string): Promise<boolean> {
    if (message.trim() === '') return false
    const parsed = parseChatCommand(message)
    if (parsed !== undefined) return (await parsed.command.run(this.#context, parsed.argument)) ?? false
    await this.#answer(message.startsWith('//') ? message.slice(1) : message)
    return false
  }

  async #answer(message: string): Promise<void> {
    const { model, conversation, screen, options, signal } = this.#init
    const { ids, begun } = conversation.ask(message)
    const { maxPositions } = model.config
    const room = maxPositions - ids.length + 1
    if (room < 1) {
      conversation.takeBack()
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `the conversation takes ${ids.length} positions, the model has ${maxPositions}: /reset starts a new one`
      )
    }
    const maxNewTokens = Math.min(room, options.maxNewTokens ?? room)
    const answering = new AbortController()
    this.#answering = answering
    const answer = openAnswer('waiting for the first token', screen)
    answer.write(begun)
    let text = begun
    let isCut = false
    try {
      const ending = AbortSignal.any([signal, answering.signal])
      for await (const step of model.generateStream(ids, { ...options, maxNewTokens, signal: ending })) {
        answer.write(step.text)
        text += step.text
        isCut = step.finished[0] === 'length'
      }
    } catch (error) {
      if (signal.aborted || !answering.signal.aborted) {
        conversation.takeBack()
        throw error
      }
    } finally {
      this.#answering = null
      answer.end()
    }
    this.#remember(text, { isStopped: answering.signal.aborted, isCut, isFull: isCut && maxNewTokens === room })
  }

  /** Keeps what was said; a message whose answer has not come out of its thoughts is taken back. */
  #remember(text: string, { isStopped, isCut, isFull }: { isStopped: boolean; isCut: boolean; isFull: boolean }): void {
    const { conversation, options } = this.#init
    const { say } = this.#context
    const cause = isFull
      ? `the conversation fills the model's ${this.#init.model.config.maxPositions} positions (/reset starts a new one)`
      : isCut
        ? `cut after ${options.maxNewTokens} tokens (--max-new-tokens)`
        : 'stopped'
    if (text.trim() === '' || isThinking(text)) {
      conversation.takeBack()
      const reason = isStopped || isCut ? `${cause} before an answer came` : 'the model ended without an answer'
      say(`${reason}: your message is taken back`)
      return
    }
    conversation.answer(text)
    if (isStopped || isCut) say(`${cause}; the answer counts as it stands`)
  }
}
