// The text of an answer as thoughts, text and calls of tools, while it comes. However it is cut, the pieces joined are the same. Pure.
import type { CallFormat, CallSink } from '../calls/format.ts'
import type { Tool } from '../request.ts'
import { Reader, type TextReading } from './reader.ts'
import { readThoughtsMark } from './thoughts.ts'

export type AnswerPiece =
  /** `start`: place of the text in the answer, in UTF-16 units */
  | { readonly type: 'reasoning' | 'content'; readonly text: string; readonly start: number }
  | { readonly type: 'call'; readonly name: string }
  /** of the last call: a piece of a JSON object */
  | { readonly type: 'arguments'; readonly text: string }
  /** the last call is whole, or no more of it comes */
  | { readonly type: 'call_end' }

export interface ParserSettings {
  /** what ends the thoughts that the prompt has begun; null: it has begun none */
  readonly begun?: string | null
  /** thoughts may begin after white space, which is held back until that is clear; default true */
  readonly mayThink?: boolean
  /** null: calls are not looked for */
  readonly format?: CallFormat | null
  readonly tools?: ReadonlyMap<string, Tool>
  /** emits a call once it is complete or its arguments exceed this many UTF-16 units; until then it may be text */
  readonly commitAfter?: number
}

const defaultCommitAfter = 512

/** Whether the text of a piece comes right after that of the one before it. */
const follows = (last: AnswerPiece & { text: string }, piece: AnswerPiece & { text: string }): boolean =>
  !('start' in last && 'start' in piece) || last.start + last.text.length === piece.start

export class AnswerParser {
  readonly #reader = new Reader()
  readonly #settings: ParserSettings
  readonly #reading: TextReading<void>
  #pieces: AnswerPiece[] = []
  #isThinking = false
  #hadThoughts = false
  /** white space before text, which is left out before calls */
  #space = ''
  #spaceStart = 0
  #isLead = true
  #calls = 0

  constructor(settings: ParserSettings = {}) {
    this.#settings = settings
    this.#isThinking = (settings.begun ?? null) !== null
    this.#reading = this.#read()
  }

  /** Whether the text so far ends within thoughts. */
  get isThinking(): boolean {
    return this.#isThinking
  }

  /** More of the answer; what is certain now. */
  push(text: string): readonly AnswerPiece[] {
    this.#reader.push(text)
    return this.#advance()
  }

  /** The answer is over; the rest. */
  end(): readonly AnswerPiece[] {
    this.#reader.end()
    return this.#advance()
  }

  #advance(): readonly AnswerPiece[] {
    this.#reading.next()
    const pieces = this.#pieces
    this.#pieces = []
    return pieces
  }

  /** Adds a piece, to the one before it where both are one text. */
  #add(piece: AnswerPiece): void {
    const last = this.#pieces.at(-1)
    if (last !== undefined && last.type === piece.type && 'text' in last && 'text' in piece && follows(last, piece)) {
      this.#pieces[this.#pieces.length - 1] = { ...last, text: last.text + piece.text }
    } else this.#pieces.push(piece)
  }

  *#read(): TextReading<void> {
    const reader = this.#reader
    const { begun = null, mayThink = true, format = null } = this.#settings
    if (begun !== null) yield* this.#readThoughts(begun)
    for (;;) {
      const start = reader.position
      const space = mayThink || this.#hadThoughts ? yield* reader.space() : ''
      const close = yield* readThoughtsMark(reader)
      if (close === null) {
        this.#content(space, start)
        break
      }
      yield* this.#readThoughts(close)
    }
    if (format?.bare?.includes(yield* reader.peek()) && (yield* reader.peek()) !== '')
      yield* this.#readCalls(format, '')
    const openings = format?.openings ?? []
    for (;;) {
      const opening = yield* reader.until(openings, (text, start) => this.#content(text, start))
      if (opening === null) break
      yield* this.#readCalls(format!, opening)
    }
    if (this.#calls === 0 && this.#space !== '')
      this.#add({ type: 'content', text: this.#space, start: this.#spaceStart })
  }

  *#readThoughts(close: string): TextReading<void> {
    this.#isThinking = true
    this.#hadThoughts = true
    let isLead = true
    let space = ''
    const ended = yield* this.#reader.until([close], (text, start) => {
      const body = isLead ? text.trimStart() : text
      if (body === '') return
      const kept = body.trimEnd()
      if (kept === '') {
        space += body
        return
      }
      this.#add({ type: 'reasoning', text: space + kept, start: start + (text.length - body.length) - space.length })
      isLead = false
      space = body.slice(kept.length)
    })
    if (ended === null && space !== '') {
      this.#add({ type: 'reasoning', text: space, start: this.#reader.position - space.length })
    }
    this.#isThinking = false
  }

  #content(text: string, start: number): void {
    let kept = text
    if (this.#isLead && this.#hadThoughts) kept = text.trimStart()
    if (kept === '') return
    this.#isLead = false
    const from = start + text.length - kept.length
    if (this.#settings.format == null) {
      this.#add({ type: 'content', text: kept, start: from })
      return
    }
    const body = kept.trimEnd()
    if (this.#space === '') this.#spaceStart = from
    if (body === '') {
      this.#space += kept
      return
    }
    this.#add({ type: 'content', text: this.#space + body, start: this.#spaceStart })
    this.#space = kept.slice(body.length)
    this.#spaceStart = from + body.length
  }

  /** Reads calls after their opening, and gives them; what is none is text. */
  *#readCalls(format: CallFormat, opening: string): TextReading<void> {
    const reader = this.#reader
    const { tools = new Map(), commitAfter = defaultCommitAfter } = this.#settings
    let waiting: AnswerPiece[] = []
    let waitingLength = 0
    let isOpen = false
    let isGiven = false
    let start = reader.position - opening.length
    /** text of which nothing has been given; '' once a call has been */
    let before = opening

    const commit = (): void => {
      for (const piece of waiting) this.#add(piece)
      waiting = []
      waitingLength = 0
      isGiven = true
      before = ''
      this.#space = ''
      this.#isLead = false
    }
    const remark = (): void => {
      reader.captured()
      reader.mark()
      start = reader.position
    }
    const sink: CallSink = {
      call: name => {
        isOpen = true
        isGiven = false
        waiting = [{ type: 'call', name }]
        waitingLength = 0
        if (commitAfter === 0) {
          commit()
          remark()
        }
      },
      give: text => {
        if (text === '') return
        if (isGiven) this.#add({ type: 'arguments', text })
        else {
          waiting.push({ type: 'arguments', text })
          waitingLength += text.length
          if (waitingLength > commitAfter) commit()
        }
        if (isGiven) remark()
      },
      done: () => {
        if (!isGiven) commit()
        this.#add({ type: 'call_end' })
        this.#calls += 1
        isOpen = false
        remark()
      }
    }
    reader.mark()
    const isRead = yield* format.read({ reader, sink, tools }, opening)
    const rest = reader.captured()
    if (isRead) return
    if (isOpen && isGiven) {
      this.#add({ type: 'call_end' })
      this.#calls += 1
    }
    this.#content(before + rest, start)
  }
}
