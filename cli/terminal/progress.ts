// Progress of long operations: a live line on a terminal, otherwise a plain line at the start and end of a stage. Knows
// no operation.
import type { OnProgress, Progress, Stage } from '../../common/progress.ts'
import { formatBytes, second } from '../../common/units.ts'
import type { Answer, Screen } from './screen.ts'
import { screen } from './terminal.ts'
import { oneLine } from './text.ts'

/** Stages that are over sooner are not shown without a terminal … */
const plainAfterMs = 1 * second
/** … nor on one, where a line that comes and goes only flickers. */
const liveAfterMs = 0.2 * second
/** A stage that took this long leaves a line on a terminal too. */
const keptAfterMs = 5 * second
/** between two drawings of the live line */
const redrawMs = 0.1 * second
/** the live line shows elapsed time if nothing else changes */
const tickMs = 1 * second

const barWidth = 20
/** narrower terminals show no bar */
const barColumns = 70

/** `93.4` -> `1m33s` */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const minutes = Math.floor(whole / 60)
  if (minutes === 0) return `${whole}s`
  const hours = Math.floor(minutes / 60)
  return hours === 0
    ? `${minutes}m${String(whole % 60).padStart(2, '0')}s`
    : `${hours}h${String(minutes % 60).padStart(2, '0')}m`
}

/** `███░░░` */
export function drawBar(share: number, width: number = barWidth): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return '█'.repeat(full) + '░'.repeat(width - full)
}

/** Joins the parts that fit, the first always; earlier parts matter more. */
export function joinFitting(parts: readonly string[], columns: number): string {
  let line = parts[0] ?? ''
  for (const part of parts.slice(1)) {
    if (part === '' || line.length + 2 + part.length > columns) continue
    line += `  ${part}`
  }
  return line
}

const verbs = {
  download: 'downloading',
  verify: 'verifying',
  connect: 'joining the swarm',
  load: 'loading',
  convert: 'converting',
  quantize: 'quantizing',
  measure: 'loading and measuring',
  tokenize: 'tokenizing',
  prepare: 'first step: building graphs',
  evaluate: 'evaluating',
  answer: 'answering prompts',
  export: 'exporting'
} as const satisfies Record<Stage, string>

function amount(count: number, { unit }: Progress): string {
  return unit === 'bytes' ? formatBytes(count) : `${count.toLocaleString('en')} ${unit}`
}

/** `1.2 GiB of 4.0 GiB`, `12 of 50 examples`, empty where nothing is counted. */
function counted(progress: Progress): string {
  const { unit, done, total } = progress
  if (unit === undefined) return ''
  if (total === undefined) return done === 0 ? '' : amount(done, progress)
  return unit === 'bytes'
    ? `${formatBytes(done)} of ${formatBytes(total)}`
    : `${done.toLocaleString('en')} of ${amount(total, progress)}`
}

function rateText(progress: Progress, seconds: number): string {
  const { unit, done } = progress
  if (unit === undefined || done === 0 || seconds <= 0) return ''
  const rate = done / seconds
  if (unit === 'bytes') return `${formatBytes(Math.round(rate))}/s`
  return rate >= 10 ? `${Math.round(rate)}/s` : `${rate.toPrecision(2)}/s`
}

const titleOf = ({ stage, name }: Progress): string =>
  name === undefined ? verbs[stage] : `${verbs[stage]} ${oneLine(name)}`

/** A stage as one line for a terminal of the given width. @param elapsedMs since it began */
export function stageLine(progress: Progress, elapsedMs: number, columns: number): string {
  const { done, total } = progress
  const seconds = elapsedMs / second
  const parts = [titleOf(progress)]
  if (total === undefined || total === 0) parts.push(counted(progress), formatDuration(seconds))
  else {
    const left = done === 0 ? formatDuration(seconds) : `${formatDuration((seconds * (total - done)) / done)} left`
    parts.push(`${Math.floor((100 * done) / total)} %`, counted(progress), rateText(progress, seconds), left)
    if (columns >= barColumns) parts.splice(1, 0, drawBar(done / total))
  }
  return joinFitting(parts, columns - 1)
}

/** The start of a stage as a plain line. */
export function beginLine(progress: Progress): string {
  const { unit, total } = progress
  return unit === undefined || total === undefined
    ? `${titleOf(progress)} …`
    : `${titleOf(progress)}: ${amount(total, progress)} …`
}

/** A stage that ended, as a plain line. */
export function endLine(progress: Progress, elapsedMs: number): string {
  const { unit, done, total } = progress
  const seconds = elapsedMs / second
  const duration = formatDuration(seconds)
  if (unit === undefined) return `${titleOf(progress)}: done in ${duration}`
  if (total !== undefined && done < total)
    return `${titleOf(progress)}: stopped at ${counted(progress)} after ${duration}`
  const rate = rateText(progress, seconds)
  return `${titleOf(progress)}: ${amount(done, progress)} in ${duration}${rate === '' ? '' : ` (${rate})`}`
}

/** One thing that goes on, shown below all others. */
interface LiveEntry {
  line(columns: number): string
}

/** The live lines of a screen: of several things that go on the one that began last is shown. */
class LiveLines {
  readonly #screen: Screen
  readonly #entries: LiveEntry[] = []
  #drawnAt = -Infinity
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(screen: Screen) {
    this.#screen = screen
  }

  add(entry: LiveEntry): void {
    this.#entries.push(entry)
    this.#timer ??= setInterval(() => this.draw(), tickMs).unref()
    this.draw()
  }

  remove(entry: LiveEntry): void {
    const index = this.#entries.indexOf(entry)
    if (index < 0) return
    this.#entries.splice(index, 1)
    if (this.#entries.length === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.draw()
  }

  /** Draws unless it has just been drawn. */
  update(): void {
    if (performance.now() - this.#drawnAt >= redrawMs) this.draw()
  }

  draw(): void {
    const { columns } = this.#screen
    this.#screen.showLive(this.#entries.at(-1)?.line(columns) ?? null)
    this.#drawnAt = performance.now()
  }
}

const liveLines = new WeakMap<Screen, LiveLines>()

function liveLinesOf(screen: Screen): LiveLines {
  const lines = liveLines.get(screen) ?? new LiveLines(screen)
  liveLines.set(screen, lines)
  return lines
}

/** A running stage. */
class ShownStage {
  #latest: Progress
  readonly #screen: Screen
  readonly #startedAt = performance.now()
  readonly #entry: LiveEntry = { line: columns => stageLine(this.#latest, this.#elapsedMs, columns) }
  readonly #timer: ReturnType<typeof setTimeout>
  #isShown = false

  constructor(screen: Screen, progress: Progress) {
    this.#screen = screen
    this.#latest = progress
    this.#timer = setTimeout(() => this.#show(), this.#patienceMs).unref()
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedAt
  }

  get #patienceMs(): number {
    return this.#screen.isLive ? liveAfterMs : plainAfterMs
  }

  update(progress: Progress): void {
    this.#latest = progress
    // the timer may have had no turn: much work is done without a pause
    if (!this.#isShown && this.#elapsedMs >= this.#patienceMs) this.#show()
    else if (this.#isShown && this.#screen.isLive) liveLinesOf(this.#screen).update()
  }

  end(progress: Progress): void {
    this.update(progress)
    clearTimeout(this.#timer)
    if (!this.#isShown) return
    if (this.#screen.isLive) {
      liveLinesOf(this.#screen).remove(this.#entry)
      if (this.#elapsedMs < keptAfterMs) return
    }
    this.#screen.notice(endLine(progress, this.#elapsedMs))
  }

  #show(): void {
    if (this.#isShown) return
    this.#isShown = true
    if (this.#screen.isLive) liveLinesOf(this.#screen).add(this.#entry)
    else this.#screen.notice(beginLine(this.#latest))
  }
}

/**
 * Shows the stages of an operation on the screen.
 * @param options.json the command's output is for programs: nothing is shown without a terminal
 * @param on for tests
 */
export function showProgress({ json = false }: { json?: boolean } = {}, on: Screen = screen): OnProgress | undefined {
  if (json && !on.isLive) return undefined
  const stages = new Map<string, ShownStage>()
  return progress => {
    const key = `${progress.stage} ${progress.name}`
    const shown = stages.get(key)
    if (progress.ended) {
      shown?.end(progress)
      stages.delete(key)
    } else if (shown === undefined) stages.set(key, new ShownStage(on, progress))
    else shown.update(progress)
  }
}

/**
 * Says on a terminal what is waited for, and for how long; the returned function ends that.
 * @param title `waiting for the first token`
 */
function showWaiting(title: string, on: Screen = screen): () => void {
  const lines = liveLinesOf(on)
  const startedAt = performance.now()
  const entry: LiveEntry = {
    line: columns => joinFitting([title, formatDuration((performance.now() - startedAt) / second)], columns - 1)
  }
  const timer = setTimeout(() => lines.add(entry), liveAfterMs).unref()
  return () => {
    clearTimeout(timer)
    lines.remove(entry)
  }
}

/** Says so while the work goes on. */
export async function whileWaiting<T>(title: string, work: () => Promise<T>): Promise<T> {
  const end = showWaiting(title)
  try {
    return await work()
  } finally {
    end()
  }
}

/**
 * Opens an answer of the screen; until its first piece the live line says what is waited for.
 * @param title as of `showWaiting`
 */
export function openAnswer(title: string, on: Screen = screen): Answer {
  return on.openAnswer(showWaiting(title, on))
}

/** A line that its owner writes anew as something goes on: live on a terminal, now and then elsewhere. */
export interface ProgressLine {
  /** @param parts of the line, the first always shown; what does not fit is left out from the end */
  update(done: number, parts: readonly string[]): void
  stop(): void
}

/** @param total updates; where standard output is no terminal about 20 of them are printed there */
export function createProgress(total: number, on: Screen = screen): ProgressLine {
  const every = Math.max(1, Math.round(total / 20))
  const lines = liveLinesOf(on)
  let latest: { done: number; parts: readonly string[] } | undefined
  const entry: LiveEntry = {
    line(columns) {
      const { done, parts } = latest!
      const bar = columns >= barColumns ? `${drawBar(done / total)} ` : ''
      return joinFitting([`${bar}${done}/${total}`, ...parts], columns - 1)
    }
  }
  return {
    update(done, parts) {
      const isFirst = latest === undefined
      latest = { done, parts }
      if (on.isLive && isFirst) lines.add(entry)
      else if (on.isLive) lines.update()
      if (!on.outputIsTerminal && !on.quiet && (done === 1 || done % every === 0 || done === total)) {
        on.print([`${done}/${total}`, ...parts.filter(part => part !== '')].join('  '))
      }
    },
    stop() {
      if (!on.isLive || latest === undefined) return
      lines.remove(entry)
      if (on.outputIsTerminal && !on.quiet) on.print(entry.line(on.columns))
      latest = undefined
    }
  }
}
