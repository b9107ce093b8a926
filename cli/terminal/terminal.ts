// How commands speak: through one screen, with one signal for Ctrl-C.
import { pino } from 'pino'
import { messageOf, SwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { MiB } from '../../common/units.ts'
import { SwarmStateError } from '../../network/state/error.ts'
import { describeState } from '../../network/state/sentences.ts'
import { describeSystemError } from '../errors/system-errors.ts'
import { UsageError } from '../errors/usage.ts'
import { createScreenLogger, type LogLevel } from './log.ts'
import { type LogFormat, Screen, type Style } from './screen.ts'

/** bytes of log lines that wait for room where they are written to; more are dropped */
const maxUnwrittenLog = 1 * MiB

/** Standard error where it is a file or a pipe: one that cannot be written, a full disk say, ends no server. */
function stderrSink(): { write(text: string): unknown } {
  let destination: ReturnType<typeof pino.destination> | undefined
  return {
    write(text) {
      if (destination === undefined) {
        destination = pino.destination({ dest: 2, sync: true, maxLength: maxUnwrittenLog })
        destination.on('error', () => {})
      }
      destination.write(text)
    }
  }
}

/** The terminal of this process. */
export const screen = new Screen({
  stdout: process.stdout,
  stderr: process.stderr,
  ...(!process.stderr.isTTY && { logSink: stderrSink() })
})
process.once('exit', () => screen.close())

export function print(line = ''): void {
  screen.print(line)
}

/** Of servers (`online`), checks (`ok`) and models (`complete`). */
const stateStyles: Readonly<Record<string, Style>> = {
  online: 'green',
  ok: 'green',
  complete: 'green',
  joining: 'yellow',
  paused: 'yellow',
  draining: 'yellow',
  warn: 'yellow',
  offline: 'red',
  fail: 'red',
  incomplete: 'red'
}

/** A text about a state in the state's colour, where standard output shows colours. */
export function paintState(state: string, text: string): string {
  const style = stateStyles[state]
  return style === undefined ? text : screen.style(style, text)
}

/** @param format default: pretty on a terminal, else JSON */
export function createLogger(level: LogLevel, format: LogFormat | undefined = screen.logFormat): Logger {
  return createScreenLogger(screen, { level, format })
}

/** What a command ends with; docs/command-line.md lists them. 70 (`last-resort.ts`) is a bug. */
export const exitStatus = { failure: 1, usage: 2, SIGINT: 130, SIGTERM: 143, SIGBREAK: 149 } as const

type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGBREAK'

/** Windows sends no SIGTERM: service managers there send Ctrl-Break. */
const stopSignals: readonly StopSignal[] = [
  'SIGINT',
  'SIGTERM',
  ...(process.platform === 'win32' ? (['SIGBREAK'] as const) : [])
]

/** the first signal that asked this process to stop */
let stoppedBy: StopSignal | undefined

/** of the command before this one in the same process, which may have failed */
let giveBackSignals: (() => void) | undefined

/** The status of a process that was asked to stop by a signal, however orderly it went. */
export function signalStatus(): number | undefined {
  return stoppedBy && exitStatus[stoppedBy]
}

/** What a command ends with when standard input ends. */
function onEndOfInput(act: () => void): void {
  const { stdin } = process
  // a file has no end to wait for: the command would stop before it has begun
  if (typeof stdin.unref !== 'function') {
    throw new UsageError(
      '--until-eof: standard input is a file or /dev/null, which has no program behind it: ' +
        'give a pipe that stays open, or leave --until-eof out'
    )
  }
  stdin.once('close', act)
  stdin.resume()
  stdin.unref() // waiting for its end is no reason to stay
}

/**
 * A signal that aborts on the first SIGINT or SIGTERM; a second one ends the process at once. The process ends with that
 * signal's status. `release()` gives the signals back.
 * @param options.untilEof abort also when standard input ends, as it does when the program that started this one is gone
 * @param options.takesInterrupt asked at a SIGINT: true where something smaller than the process was stopped by it
 */
export function interruptSignal(options: { untilEof?: boolean; takesInterrupt?: () => boolean } = {}): {
  signal: AbortSignal
  release(): void
} {
  giveBackSignals?.()
  const controller = new AbortController()
  if (options.untilEof) {
    onEndOfInput(() => controller.abort(new SwarmError('ABORTED', 'stopped: standard input has ended (--until-eof)')))
  }
  const onSignal = (name: NodeJS.Signals): void => {
    if (stoppedBy !== undefined) process.exit(exitStatus[name as StopSignal])
    if (name === 'SIGINT' && options.takesInterrupt?.()) return
    stoppedBy = name as StopSignal
    controller.abort(new SwarmError('ABORTED', `stopped by ${name}`))
  }
  for (const name of stopSignals) process.on(name, onSignal)
  const release = (): void => {
    for (const name of stopSignals) process.off(name, onSignal)
  }
  giveBackSignals = release
  return { signal: controller.signal, release }
}

/** An error's message in the words of the command line: states of a swarm name flags, not options of the SDK. */
export function messageForPerson(error: unknown): string {
  if (error instanceof SwarmStateError) return describeState(error.state, 'cli')
  return describeSystemError(error) ?? messageOf(error)
}

/** Prints an error for a person (`swarm: …`) and returns the exit status. Only an unexpected error has a stack. */
export function reportError(error: unknown, inOurWords = (message: string) => message): number {
  screen.error(`swarm: ${inOurWords(messageForPerson(error))}`)
  const isKnown = error instanceof SwarmError || describeSystemError(error) !== undefined
  if (!isKnown && error instanceof Error && error.stack !== undefined) {
    screen.error(`${error.stack}\nThis looks like a bug in swarmtune: please report it.`)
  }
  return signalStatus() ?? (error instanceof UsageError ? exitStatus.usage : exitStatus.failure)
}
