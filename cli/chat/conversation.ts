// A conversation: its messages, and the text that a model continues. Knows no terminal and no model.
import { type ChatMessage, type ChatTemplate, renderChat } from '../../client/index.ts'

/** The thoughts that a generation prompt begins: they are the answer's first text. */
const begunThoughts = /(?:<(?:[\w-]+:)?think(?:ing)?>|\[THINK\])\s*$/i

/** Thoughts that begin and end; also those of nested names, as <seed:think>. */
const wholeThoughts = /<((?:[\w-]+:)?think(?:ing)?)>[\s\S]*?<\/\1>|\[THINK\][\s\S]*?\[\/THINK\]/gi
const openThoughts = /<(?:[\w-]+:)?think(?:ing)?>|\[THINK\]/i

/** Whether an answer ends in the middle of its thoughts. */
export const isThinking = (text: string): boolean => openThoughts.test(text.replaceAll(wholeThoughts, ''))

export class ChatHistory {
  /** system message */
  system: string | undefined
  readonly #template: ChatTemplate
  #turns: ChatMessage[] = []

  constructor(template: ChatTemplate, system?: string) {
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
   * @returns what the model is to continue, and how its answer begins already. Throws what `renderChat` throws, and adds
   *   nothing then.
   */
  ask(content: string): { written: string; begun: string } {
    const turns = [...this.#turns, { role: 'user', content }]
    const system = this.messages.slice(0, this.messages.length - this.#turns.length)
    const written = renderChat(this.#template, [...system, ...turns], { addGenerationPrompt: true })
    this.#turns = turns
    return { written, begun: begunThoughts.exec(written)?.[0] ?? '' }
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
