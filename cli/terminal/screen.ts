// The one owner of the terminal: results, streamed answers, notices, log lines and the live progress line all go
// through it, so that none of them cuts another. Knows nothing about their content.
import { fstatSync } from 'node:fs'
import type { Interface } from 'node:readline'
import { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import stringWidth from 'string-width'
import { escapeControls } from '../../common/escape-controls.ts'
import { second } from '../../common/units.ts'
import { fit, printable, rowsBelow } from './text.ts'

/** Standard output or standard error, or a stream that stands for one. */
export interface ScreenStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  readonly fd?: number
}

/** A text that arrives in pieces. Nothing else is printed within one of its lines. */
export interface Answer {
  write(text: string): void
  /** Ends the last line and prints the lines that waited. Does nothing the second time. */
  end(): void
}

/** What readline's interface offers to a screen that prints above the line being typed. */
export type LineEditor = Pick<Interface, 'prompt' | 'getPrompt' | 'line'>

/** How a log line is written. */
export const logFormats = ['pretty', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

export type Style = Parameters<typeof styleText>[0]

type Environment = Readonly<Record<string, string | undefined>>

export interface ScreenInit {
  readonly stdout: ScreenStream
  readonly stderr: ScreenStream
  /** where log lines are written, each with its newline; default: `stderr` */
  readonly logSink?: { write(text: string): unknown }
  readonly env?: Environment
}

/** An answer that pauses this long lets waiting log lines through: they may say why it pauses. */
const stallMs = 2 * second

/** log lines that wait for the end of an answer; later ones are counted and dropped */
const maxHeld = 1000

/** colour depth, in bits, that Node gives a terminal without colours */
const monochrome = 1

/** columns of a terminal that does not tell */
const defaultColumns = 80

const eraseLine = '\r\x1b[K'
const eraseBelow = '\r\x1b[J'
const clearScreen = '\x1b[H\x1b[2J'

/** What two streams have in common when they write to the same place. */
function placeOf({ isTTY, fd }: ScreenStream): unknown {
  if (isTTY) return 'terminal'
  if (fd === undefined) return {}
  try {
    const { dev, ino } = fstatSync(fd)
    // pipes of Windows have no number
    return ino === 0 ? {} : `${dev}:${ino}`
  } catch {
    return {} // closed
  }
}

/** Where lines go. */
type Sink = Pick<ScreenStream, 'isTTY'> & { write(text: string): unknown }

/** Writes lines as they are, but to a terminal nothing that steers it. */
function put(sink: Sink, text: string): void {
  sink.write(sink.isTTY ? printable(text) : text)
}

export class Screen {
  /** no progress and no notices: results, errors and log lines only */
  quiet = false
  /** of log lines; undefined: pretty on a terminal, else JSON */
  logFormat: LogFormat | undefined
  readonly #stdout: ScreenStream
  readonly #stderr: ScreenStream
  readonly #logSink: { write(text: string): unknown }
  readonly #env: Environment
  /** both streams end in one place: a terminal, or `2>&1` */
  readonly #isShared: boolean
  readonly #liveStream: ScreenStream | null
  #live: string | null = null
  /** of the live line that is on the terminal now */
  #isDrawn = false
  /** the answer's last line so far; null: no answer is under way */
  #openLine: string | null = null
  /** the terminal was resized since the open line began */
  #isReflowed = false
  #answer: Answer | null = null
  /** of an answer without a piece yet */
  #onBegin: (() => void) | null = null
  #lastPieceAt = 0
  #editor: LineEditor | null = null
  #held: { sink: Sink; text: string }[] = []
  #dropped = 0
  #stallTimer: ReturnType<typeof setTimeout> | undefined

  constructor({ stdout, stderr, logSink = stderr, env = process.env }: ScreenInit) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#logSink = logSink
    this.#env = env
    this.#isShared = placeOf(stdout) === placeOf(stderr)
    this.#liveStream = [stderr, stdout].find(stream => this.#canRedraw(stream)) ?? null
    for (const stream of new Set([stdout, stderr])) stream.on('resize', () => this.#onResize())
  }

  /** A live line can be shown: there is a terminal that can erase a line. */
  get isLive(): boolean {
    return this.#liveStream !== null
  }

  /** Results are read by a person. */
  get outputIsTerminal(): boolean {
    return Boolean(this.#stdout.isTTY)
  }

  /** Log lines are read by a person. */
  get logIsTerminal(): boolean {
    return Boolean(this.#stderr.isTTY)
  }

  /** Columns of the terminal now: they change when it is resized. 80 where there is none. */
  get columns(): number {
    const { columns } = [this.#stdout, this.#stderr].find(({ isTTY }) => isTTY) ?? {}
    return columns !== undefined && columns > 0 ? columns : defaultColumns
  }

  /**
   * The text in a colour where its stream shows colours: a terminal without NO_COLOR and TERM=dumb, or FORCE_COLOR.
   * @param to where the text will be printed
   */
  style(style: Style, text: string, to: 'stdout' | 'stderr' = 'stdout'): string {
    const { isTTY } = to === 'stdout' ? this.#stdout : this.#stderr
    const { NO_COLOR, FORCE_COLOR } = this.#env
    const isColoured =
      !NO_COLOR && (isTTY || FORCE_COLOR !== undefined) && WriteStream.prototype.getColorDepth(this.#env) > monochrome
    return isColoured ? styleText(style, text, { validateStream: false }) : text
  }

  /** Prints a line of results on standard output. It ends an answer that is under way. */
  print(line = ''): void {
    this.#breakAnswer()
    this.#writeBetween(this.#stdout, `${line}\n`)
  }

  /** Prints lines in place of all that the terminal shows; elsewhere after what was printed before. */
  printPage(lines: readonly string[]): void {
    this.#breakAnswer()
    if (this.#canRedraw(this.#stdout)) this.#stdout.write(clearScreen)
    this.print(lines.join('\n'))
  }

  /**
   * Prints a line for a person on standard error, after the answer that is under way; nothing when quiet. Where log lines were asked
   * for as JSON it is one of them.
   */
  notice(line: string): void {
    if (this.quiet) return
    if (this.logFormat === 'json') this.log(JSON.stringify({ level: 30, time: new Date().toISOString(), msg: line }))
    else this.#writeLater(this.#stderr, `${line}\n`)
  }

  /** Prints a log line on standard error, after the answer that is under way. */
  log(line: string): void {
    this.#writeLater(this.#logSink, `${line}\n`)
  }

  /** Prints a line on standard error at once. It ends an answer that is under way. */
  error(line: string): void {
    this.#breakAnswer()
    this.#writeBetween(this.#stderr, `${line}\n`)
  }

  /**
   * Begins a text that arrives in pieces on standard output; one at a time.
   * @param onBegin called once: before the first piece, or when the answer ends without any. The live line is shown until then
   */
  openAnswer(onBegin?: () => void): Answer {
    this.#answer?.end()
    const answer: Answer = {
      write: text => {
        if (this.#answer !== answer || text === '') return
        this.#beginAnswer()
        // a model's text depends on its prompt and its training, and is not trusted
        const shown = this.#stdout.isTTY ? escapeControls(text.replaceAll('\r\n', '\n')) : text
        this.#stdout.write(shown)
        const newline = shown.lastIndexOf('\n')
        if (newline >= 0) this.#isReflowed = false
        this.#openLine = newline < 0 ? `${this.#openLine}${shown}` : shown.slice(newline + 1)
        this.#lastPieceAt = performance.now()
      },
      end: () => {
        if (this.#answer !== answer) return
        this.#beginAnswer()
        this.#stdout.write('\n')
        this.#closeAnswer()
      }
    }
    this.#answer = answer
    this.#onBegin = onBegin ?? (() => {})
    this.#openLine = ''
    this.#isReflowed = false
    this.#lastPieceAt = performance.now()
    return answer
  }

  /**
   * Keeps lines from cutting through what a person types: they are printed above the prompt, or wait where the typed text
   * takes several rows. Call it when the prompt is shown and the returned function when the line has been entered.
   */
  edit(editor: LineEditor): () => void {
    this.showLive(null)
    this.#editor = editor
    return () => {
      if (this.#editor !== editor) return
      this.#editor = null
      this.#flush()
    }
  }

  /** Shows the line below all others until it is replaced; null takes it away. Without a terminal, or quiet, it is not shown. */
  showLive(line: string | null): void {
    this.#live = line
    this.#draw()
  }

  /** Takes the live line away and prints all lines that wait: before the process ends. */
  close(): void {
    this.showLive(null)
    this.#breakAnswer()
    this.#editor = null
    this.#flush()
  }

  /** The stream is a terminal that can erase what it shows. */
  #canRedraw({ isTTY }: ScreenStream): boolean {
    return Boolean(isTTY) && this.#env.TERM !== 'dumb'
  }

  /** Ends the line of an abandoned answer. */
  #breakAnswer(): void {
    if (this.#answer === null) return
    this.#beginAnswer()
    if (this.#openLine !== '' && this.#isShared) this.#stdout.write('\n')
    this.#closeAnswer()
  }

  /** The answer has the terminal from its first piece on. */
  #beginAnswer(): void {
    const onBegin = this.#onBegin
    this.#onBegin = null
    onBegin?.()
    this.#erase()
  }

  #closeAnswer(): void {
    this.#answer = null
    this.#openLine = null
    this.#flush()
  }

  #writeLater(sink: Sink, text: string): void {
    if (!this.#mustWait()) {
      this.#writeBetween(sink, text)
      return
    }
    if (this.#held.length < maxHeld) this.#held.push({ sink, text })
    else this.#dropped++
    if (this.#answer !== null) this.#watchStall()
  }

  /** A line printed now would cut through an answer or through what is being typed. */
  #mustWait(): boolean {
    if (!this.#isShared) return false
    if (this.#editor === null) return this.#answer !== null && this.#onBegin === null
    return stringWidth(`${this.#editor.getPrompt()}${this.#editor.line}`) >= this.columns
  }

  /** Lets waiting lines through when the answer has paused for long. */
  #watchStall(): void {
    if (this.#stallTimer !== undefined) return
    const check = (): void => {
      this.#stallTimer = undefined
      if (this.#answer === null || this.#held.length === 0) return
      const restMs = this.#lastPieceAt + stallMs - performance.now()
      if (restMs <= 0 && this.#printAboveAnswer()) return
      this.#stallTimer = setTimeout(check, Math.max(restMs, stallMs / 4)).unref()
    }
    this.#stallTimer = setTimeout(check, stallMs).unref()
  }

  /** Prints waiting lines above the answer's open line, which is written again below them; false where that cannot be done. */
  #printAboveAnswer(): boolean {
    const line = this.#openLine!
    if (line === '') {
      this.#flush()
      return true
    }
    if (!this.#stdout.isTTY || !this.isLive || this.#isReflowed) return false
    const rows = rowsBelow(line, this.columns)
    if (rows === null || rows + 1 >= (this.#stdout.rows ?? 24)) return false
    this.#stdout.write(`${rows > 0 ? `\x1b[${rows}A` : ''}${eraseBelow}`)
    this.#flush()
    this.#stdout.write(line)
    return true
  }

  /** Writes whole lines; what is shown below them goes away before and comes back after. */
  #writeBetween(sink: Sink, text: string): void {
    this.#erase()
    const editor = this.#isShared ? this.#editor : null
    if (editor !== null) this.#stdout.write(eraseBelow)
    put(sink, text)
    editor?.prompt(true)
    this.#draw()
  }

  #flush(): void {
    const held = this.#held.splice(0)
    if (held.length === 0) return
    this.#erase()
    for (const { sink, text } of held) put(sink, text)
    if (this.#dropped > 0) this.#stderr.write(`${this.#dropped} more log lines were dropped\n`)
    this.#dropped = 0
    this.#draw()
  }

  #erase(): void {
    if (this.#isDrawn) this.#liveStream!.write(eraseLine)
    this.#isDrawn = false
  }

  #draw(): void {
    const stream = this.#liveStream
    if (stream === null) return
    if (
      this.#live === null ||
      this.quiet ||
      this.#editor !== null ||
      (this.#answer !== null && this.#onBegin === null)
    ) {
      this.#erase()
      return
    }
    // a column stays free: a full row would wrap on some terminals
    const columns = stream.columns !== undefined && stream.columns > 0 ? stream.columns : defaultColumns
    stream.write(`\r${fit(printable(this.#live), columns - 1)}\x1b[K`)
    this.#isDrawn = true
  }

  #onResize(): void {
    this.#isReflowed = true
    if (this.#isDrawn) this.#draw()
  }
}
