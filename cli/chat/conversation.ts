// A conversation: its messages, and the tokens that a model continues. Knows no terminal and no model.
import {
  type ChatMessage,
  type ChatTemplate,
  type EncodedChat,
  encodeChat,
  type Tokenizer
} from '../../client/index.ts'

/** Thoughts that begin and end; also those of nested names, as <seed:think>. */
const wholeThoughts = /<((?:[\w-]+:)?think(?:ing)?)>[\s\S]*?<\/\1>|\[THINK\][\s\S]*?\[\/THINK\]/gi
const openThoughts = /<(?:[\w-]+:)?think(?:ing)?>|\[THINK\]/i

/** Whether an answer ends in the middle of its thoughts. */
export const isThinking = (text: string): boolean => openThoughts.test(text.replaceAll(wholeThoughts, ''))

export class ChatHistory {
  /** system message */
  system: string | undefined
  readonly #tokenizer: Tokenizer
  readonly #template: ChatTemplate
  #turns: ChatMessage[] = []

  constructor({ tokenizer, template }: { tokenizer: Tokenizer; template: ChatTemplate }, system?: string) {
    this.#tokenizer = tokenizer
    this.#template = template
    this.system = system
  }

  /** Messages in their order, answers whole: the template decides what it writes of earlier thoughts. */
  get messages(): readonly ChatMessage[] {
    return [...(this.system === undefined ? [] : [{ role: 'system', content: this.system }]), ...this.#turns]
  }

  get turns(): number {
    return this.#turns.length
  }

  /**
   * Adds the user's message.
   * @returns what the model is to continue, and how its answer begins already. Throws what `encodeChat` throws, and adds
   *   nothing then.
   */
  ask(content: string): EncodedChat {
    const turns = [...this.#turns, { role: 'user', content }]
    const system = this.messages.slice(0, this.messages.length - this.#turns.length)
    const encoded = encodeChat(this.#tokenizer, this.#template, [...system, ...turns], { addGenerationPrompt: true })
    this.#turns = turns
    return encoded
  }

  /** Adds the model's answer to the last message. */
  answer(content: string): void {
    this.#turns.push({ role: 'assistant', content })
  }

  /** Removes the last message if it has no answer. */
  takeBack(): void {
    if (this.#turns.at(-1)?.role === 'user') this.#turns.pop()
  }

  /** Forgets all but the system message. */
  reset(): void {
    this.#turns = []
  }

  /** One line of JSON, a row for `swarm train`. */
  toJson(): string {
    return `${JSON.stringify({ messages: this.messages })}\n`
  }
}
