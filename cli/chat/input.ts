// The lines that a chat is typed in, on a terminal with editing and history.
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Screen } from '../terminal/screen.ts'
import type { ChatLines } from './chat.ts'

/** Asks a terminal to mark what is pasted, which may have several lines, and to stop that. */
const markPastes = '\x1b[?2004h'
const leavePastes = '\x1b[?2004l'

/** earlier lines for the arrow keys */
export const maxHistory = 1000

/** Standard input, or a stream that stands for it. */
export interface ChatSource extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
}

export interface ChatInputInit {
  readonly input: ChatSource
  /** where the line editor writes */
  readonly terminal: NodeJS.WritableStream & { readonly columns?: number }
  readonly screen: Pick<Screen, 'edit' | 'print'>
  /** earlier lines, the newest first */
  readonly history?: readonly string[]
}

/** What the editor writes, while it may. */
class EditorOutput extends Writable {
  readonly isTTY = true
  isMuted = false
  readonly #terminal: ChatInputInit['terminal']

  constructor(terminal: ChatInputInit['terminal']) {
    super({ decodeStrings: false })
    this.#terminal = terminal
    terminal.on('resize', () => this.emit('resize'))
  }

  get columns(): number | undefined {
    return this.#terminal.columns
  }

  override _write(chunk: string | Uint8Array, _: BufferEncoding, done: () => void): void {
    if (!this.isMuted) this.#terminal.write(chunk)
    done()
  }
}

export class ChatInput implements ChatLines {
  readonly #editor: Interface
  readonly #output: EditorOutput
  readonly #screen: ChatInputInit['screen']
  /** lines that were not requested yet */
  readonly #typed: string[] = []
  /** pasted lines that were not entered yet */
  #pasted: string[] = []
  #isPasting = false
  #wake: (() => void) | undefined
  #isClosed = false
  #history: readonly string[] = []

  constructor({ input, terminal, screen, history = [] }: ChatInputInit) {
    this.#screen = screen
    this.#output = new EditorOutput(terminal)
    this.#output.isMuted = true
    this.#history = history
    this.#editor = createInterface({
      input,
      output: this.#output,
      terminal: true,
      history: [...history],
      historySize: maxHistory,
      removeHistoryDuplicates: true
    })
    this.#editor.on('history', lines => {
      this.#history = lines
    })
    terminal.write(markPastes)
    input.on('keypress', (_, key?: { name?: string }) => {
      if (key?.name === 'paste-start') this.#isPasting = true
      if (key?.name === 'paste-end') this.#isPasting = false
    })
    this.#editor.on('line', line => {
      this.#pasted.push(line)
      if (this.#isPasting) return
      this.#typed.push(this.#pasted.join('\n'))
      this.#pasted = []
      this.#wake?.()
    })
    this.#editor.on('close', () => {
      terminal.write(leavePastes)
      this.#isClosed = true
      this.#wake?.()
    })
  }

  /** Calls back at each Ctrl-C that the editor sees. */
  onInterrupt(act: () => void): void {
    this.#editor.on('SIGINT', act)
  }

  /** The newest first. */
  get history(): readonly string[] {
    return this.#history
  }

  /** The next line, or what was pasted; null at the end. It may have been typed before it is asked for. */
  async next(prompt: string): Promise<string | null> {
    if (this.#typed.length > 0) {
      const line = this.#typed.shift()!
      this.#screen.print(`${prompt}${line}`)
      return line
    }
    if (this.#isClosed) return null
    this.#output.isMuted = false
    this.#editor.setPrompt(prompt)
    this.#editor.prompt(true)
    const release = this.#screen.edit(this.#editor)
    try {
      return await this.#wait()
    } finally {
      this.#output.isMuted = true
      release()
    }
  }

  async #wait(): Promise<string | null> {
    while (this.#typed.length === 0 && !this.#isClosed) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    return this.#typed.shift() ?? null
  }

  /** Discards the editor's text. @returns whether there was any */
  discard(): boolean {
    if (this.#editor.line === '' && this.#pasted.length === 0) return false
    this.#pasted = []
    this.#editor.write(null, { ctrl: true, name: 'e' })
    this.#editor.write(null, { ctrl: true, name: 'u' })
    return true
  }

  /** Shows the prompt again, after something was printed. */
  redraw(): void {
    if (!this.#output.isMuted) this.#editor.prompt(true)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    const closed = once(this.#editor, 'close')
    this.#editor.close()
    await closed
  }
}
