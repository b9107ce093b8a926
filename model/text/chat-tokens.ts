// A conversation as token ids, in which what users wrote never becomes a control token. Knows no model.
//
// The template gets the conversation with disguised texts: each character of a control token within them is another one of Unicode's private
// use, one for one. Whatever the template does with a text, cut, trimmed, joined or as JSON, its disguised characters stay so; they are
// found in what it writes, turned back, and encoded as plain text.
import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import {
  type CharacterRange,
  type ChatMessage,
  type ChatOptions,
  type ChatTemplate,
  openConversation,
  type TemplatedChat,
  type TextPlace
} from './chat-template.ts'
import type { Tokenizer } from './tokenizer.ts'

/** How a conversation is encoded. */
export interface EncodeChatOptions extends ChatOptions {
  /** the last message, an assistant's text, is the beginning of the answer: the text ends where it ends; default false */
  readonly continueLast?: boolean
}

/** A conversation as token ids. */
export interface EncodedChat {
  /** to be continued by the model, without further special tokens */
  readonly ids: number[]
  /** what the template wrote */
  readonly text: string
  /** the thoughts that its generation prompt begins, as `<think>` with a line end: they are the answer's first text */
  readonly begun: string
  /** ranges of the text in which control tokens are plain text */
  readonly plainText: readonly CharacterRange[]
}

type Encoder = Pick<Tokenizer, 'encode' | 'controlTexts' | 'controls' | 'normalize'>

const firstPrivate = 0xe000
const lastPrivate = 0xf8ff

const begunThoughts = /(?:<(?:[\w-]+:)?think(?:ing)?>|\[THINK\])\s*$/i

/** roles that templates put between parts of a token, as `'<|' + role + '|>'` */
const knownRoles = new Set([
  ...['system', 'user', 'assistant', 'tool', 'developer', 'function', 'model', 'ipython', 'observation', 'environment'],
  ...['tool_response', 'tool_calls', 'tools', 'context', 'documents', 'available_tools']
])
/** what an assistant said, in which templates look for tags such as `</think>` */
const spokenFields = new Set(['content', 'reasoning_content', 'thinking', 'reasoning'])

const isSpoken = ({ role, field, kind }: TextPlace): boolean =>
  (role === 'assistant' || role === 'model') && kind === 'value' && spokenFields.has(field)

/** Gives each character a stand-in that the conversation does not have, and reads texts that have them. */
class Disguise {
  readonly #used: ReadonlySet<number>
  readonly #standIns = new Map<string, string>()
  readonly #characters = new Map<string, string>()
  #next = firstPrivate

  /** @param texts all that a template may write */
  constructor(texts: Iterable<string>) {
    const used = new Set<number>()
    for (const text of texts) {
      for (const [character] of text.matchAll(/[\ue000-\uf8ff]/g)) used.add(character.charCodeAt(0))
      // the same characters as JSON may write them
      for (const [, digits] of text.matchAll(/\\u([ef][0-9a-f]{3})/gi)) used.add(Number.parseInt(digits!, 16))
    }
    this.#used = used
  }

  /** A character that no text has. Throws UNSUPPORTED where there is none left. */
  unused(): string {
    while (this.#used.has(this.#next)) this.#next++
    if (this.#next > lastPrivate) {
      throw new SwarmError('UNSUPPORTED', 'the conversation uses all private-use characters that could mark its texts')
    }
    return String.fromCharCode(this.#next++)
  }

  /** The text with some of its characters disguised. */
  over(text: string, hidden: ReadonlySet<number>): string {
    if (hidden.size === 0) return text
    let out = ''
    let from = 0
    for (const at of [...hidden].sort((a, b) => a - b)) {
      out += text.slice(from, at) + this.#standIn(text[at]!)
      from = at + 1
    }
    return out + text.slice(from)
  }

  /** A disguised text as it is, and the ranges that were disguised. */
  read(disguised: string): { text: string; hidden: CharacterRange[] } {
    const hidden: { start: number; end: number }[] = []
    if (this.#characters.size === 0) return { text: disguised, hidden }
    let text = ''
    let from = 0
    for (const found of disguised.matchAll(/[\ue000-\uf8ff]|\\u[ef][0-9a-f]{3}/gi)) {
      const [written] = found
      const isEscaped = written.length > 1
      const standIn = isEscaped ? String.fromCharCode(Number.parseInt(written.slice(2), 16)) : written
      const character = this.#characters.get(standIn)
      if (character === undefined) continue
      text += disguised.slice(from, found.index)
      from = found.index + written.length
      const start = text.length
      text += isEscaped && character > '\x7f' ? escapeUnit(character) : character
      const last = hidden.at(-1)
      if (last?.end === start) last.end = text.length
      else hidden.push({ start, end: text.length })
    }
    return { text: text + disguised.slice(from), hidden }
  }

  #standIn(character: string): string {
    const known = this.#standIns.get(character)
    if (known !== undefined) return known
    const made = this.unused()
    this.#standIns.set(character, made)
    this.#characters.set(made, character)
    return made
  }
}

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const letterDigitOrSpace = /[\p{L}\p{N}\s]/u
const lettersAndDigits = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
/** tags as templates look for them in texts */
const tags = /<\/?[\w:-]+>|\[\/?\w+\]/g
/** units that may begin or end a control token: no letters, digits and spaces of ASCII */
const signs = /[^\w\s]|_/g
/** longer texts are no part of a control token */
const longestPart = 64

/** Which characters of a text could become part of a control token. */
class Suspicion {
  readonly #tokenizer: Encoder
  readonly #source: string
  /** characters that begin or end a control token; what is not ASCII is added once it was seen */
  readonly #edges = new Map<string, boolean>()
  /** letters and digits of the control tokens, and all of their characters */
  readonly #cores: readonly string[]
  readonly #characters: ReadonlySet<string>
  #words: ReadonlySet<string> | undefined

  constructor(tokenizer: Encoder, source: string) {
    this.#tokenizer = tokenizer
    this.#source = source
    const { controls } = tokenizer
    for (const token of controls) {
      for (const edge of [token[0], token.at(-1)]) {
        if (edge !== undefined && !letterDigitOrSpace.test(edge)) this.#edges.set(edge, true)
      }
    }
    this.#cores = [...new Set(controls.map(lettersAndDigits))]
    this.#characters = new Set(controls.flatMap(token => [...token]))
  }

  /** Places of the characters of control tokens that the text has as a whole. */
  certain(text: string, place: TextPlace): Set<number> {
    const places = new Set<number>()
    const spoken = isSpoken(place)
    let plainText: CharacterRange[] = []
    // tokens may overlap: once the first is plain text, others are found
    for (;;) {
      const found = this.#tokenizer.controlTexts(text, { plainText }).filter(({ special }) => special || !spoken)
      if (found.length === 0) return places
      plainText = [...plainText, ...found]
      for (let { start, end } of found) {
        // a token may take the space around it along
        while (end - start > 1 && /\s/.test(text[end - 1]!)) end--
        while (end - start > 1 && /\s/.test(text[start]!)) start++
        for (let at = start; at < end; at++) places.add(at)
      }
    }
  }

  /**
   * Places of the characters that could become a part of one together with other texts: whatever begins or ends a control token, and texts
   * that a template may put in the middle of one.
   */
  possible(text: string, place: TextPlace, certain: ReadonlySet<number>): Set<number> {
    const places = new Set(certain)
    if (place.kind === 'role' && knownRoles.has(text)) return places
    const kept = this.#kept(text, place, certain)
    for (const { 0: character, index: at } of text.matchAll(signs)) {
      if (this.#isEdge(character) && !kept.has(at)) places.add(at)
    }
    if (this.#couldBeWithin(text)) {
      for (let at = 0; at < text.length; at++) if (!/\s/.test(text[at]!)) places.add(at)
    }
    return places
  }

  /** Places of tags that keep their meaning: those that an assistant said, and others that the template looks for. */
  #kept(text: string, place: TextPlace, certain: ReadonlySet<number>): ReadonlySet<number> {
    const places = new Set<number>()
    for (const { start, end, special } of isSpoken(place) ? this.#tokenizer.controlTexts(text) : []) {
      for (let at = start; at < end && !special; at++) if (!certain.has(at)) places.add(at)
    }
    for (const { 0: tag, index } of text.matchAll(tags)) {
      if (certain.has(index) || !this.#source.includes(tag)) continue
      for (let at = index; at < index + tag.length; at++) places.add(at)
    }
    return places
  }

  #isEdge(character: string): boolean {
    const known = this.#edges.get(character)
    if (known !== undefined) return known
    const isEdge = character > '\x7f' && [...this.#tokenizer.normalize(character)].some(made => this.#edges.get(made))
    this.#edges.set(character, isEdge)
    return isEdge
  }

  #couldBeWithin(text: string): boolean {
    const part = text.trim()
    if (part === '' || part.length > longestPart || this.#namedByTemplate.has(part)) return false
    const core = lettersAndDigits(this.#tokenizer.normalize(part))
    if (core !== '') return this.#cores.some(token => token.includes(core))
    return [...part].every(character => this.#characters.has(character))
  }

  /** Texts that the template compares with, and fields that it reads. */
  get #namedByTemplate(): ReadonlySet<string> {
    this.#words ??= new Set(
      [...this.#source.matchAll(/'([^'\n]*)'|"([^"\n]*)"|\.(\w+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')
    )
    return this.#words
  }
}

function allTexts(conversation: TemplatedChat): string[] {
  const texts: string[] = [conversation.source]
  conversation.changed(text => {
    texts.push(text)
    return text
  })
  return texts
}

/** The messages with a character at the end of the last, whose place tells where the text ends. */
function withEnd(messages: readonly ChatMessage[], end: string): readonly ChatMessage[] {
  const last = messages.at(-1)
  if (last?.role !== 'assistant' || typeof last.content !== 'string') {
    const found = `a message of '${String(last?.role)}'`
    throw new SwarmError('INVALID_ARGUMENT', `continueLast: only an assistant's text can be continued, found ${found}`)
  }
  return [...messages.slice(0, -1), { ...last, content: last.content + end }]
}

function untilEnd(text: string, end: string, { file }: ChatTemplate): string {
  const parts = text.split(end)
  if (parts.length === 2) return parts[0]!
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `${file}: the chat template does not write the last message as it is, so it cannot be continued: end with a message of 'user'`
  )
}

/**
 * Token ids of a conversation, with what the template wrote. Only what the template itself writes becomes a control token: special tokens, and
 * added ones that look like tags, within messages, names, tools and variables are encoded as the text that they are. What an assistant said
 * may have tags that are not special, as `<think>`. A text that looks like a control token is any other text to the template. Without
 * such texts the ids are those of `encode(renderChat(…))`. Throws as `renderChat`, and INVALID_ARGUMENT where the last message
 * cannot be continued.
 */
export function encodeChat(
  tokenizer: Encoder,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: EncodeChatOptions = {}
): EncodedChat {
  checkOptions('encodeChat', options, { addGenerationPrompt: true, variables: true, now: true, continueLast: true })
  const { continueLast = false, addGenerationPrompt = false } = options
  const asks = addGenerationPrompt && !continueLast
  let conversation = openConversation(template, messages, options)
  const disguise = new Disguise(allTexts(conversation))
  const end = continueLast ? disguise.unused() : ''
  if (continueLast) conversation = openConversation(template, withEnd(messages, end), options)
  const suspicion = new Suspicion(tokenizer, conversation.source)
  const write = (hide: (text: string, place: TextPlace) => ReadonlySet<number>) => {
    const other = conversation.changed((text, place) => disguise.over(text, hide(text, place)))
    const written = other.render(other.messages, asks)
    const { text, hidden: plainText } = disguise.read(continueLast ? untilEnd(written, end, template) : written)
    return { text, plainText, controls: tokenizer.controlTexts(text, { plainText }).map(({ id }) => id) }
  }
  const known = new Map<string, ReadonlySet<number>>()
  const certain = (text: string, place: TextPlace): ReadonlySet<number> => {
    const key = `${isSpoken(place)} ${text}`
    const found = known.get(key) ?? suspicion.certain(text, place)
    known.set(key, found)
    return found
  }
  const usual = write(certain)
  const strict = write((text, place) => suspicion.possible(text, place, certain(text, place)))
  // texts that became a token together, or with what the template wrote, are tokens in the first only
  const isSame =
    usual.controls.length === strict.controls.length && usual.controls.every((id, at) => id === strict.controls[at])
  const { text, plainText } = isSame && usual.text !== strict.text ? usual : strict
  const ids = tokenizer.encode(text, { addSpecialTokens: false, plainText })
  const begun = asks ? begunThoughts.exec(text) : null
  const isWritten = begun !== null && !plainText.some(range => range.end > begun.index)
  return { ids, text, begun: isWritten ? begun[0] : '', plainText }
}
