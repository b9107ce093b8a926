// How commands speak: through one screen, with one signal for Ctrl-C.
import { pino } from 'pino'
import { messageOf, SwarmError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { MiB } from '../common/units.ts'
import { SwarmStateError } from '../network/state-error.ts'
import { describeState } from '../network/state-sentences.ts'
import { createScreenLogger, type LogLevel } from './log.ts'
import { type LogFormat, Screen } from './screen.ts'

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

/** @param format default: pretty on a terminal, else JSON */
export function createLogger(level: LogLevel, format: LogFormat | undefined = screen.logFormat): Logger {
  return createScreenLogger(screen, { level, format })
}

/**
 * A signal that aborts on the first SIGINT or SIGTERM; a second one ends the process at once.
 * `release()` gives the signals back.
 * @param options.untilEof abort also when standard input ends, as it does when the program that started this one is gone
 */
export function interruptSignal(options: { untilEof?: boolean } = {}): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143)
    controller.abort(new SwarmError('ABORTED', `stopped by ${name}`))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  if (options.untilEof) {
    process.stdin.once('close', () => controller.abort(new SwarmError('ABORTED', 'standard input has ended')))
    process.stdin.resume()
    process.stdin.unref() // waiting for its end is no reason to stay
  }
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    }
  }
}

/** An error's message in the words of the command line: states of a swarm name flags, not options of the SDK. */
export function messageForPerson(error: unknown): string {
  return error instanceof SwarmStateError ? describeState(error.state, 'cli') : messageOf(error)
}

/** Prints an error for a person (`swarm: …`, with what caused it) and gives the exit status. */
export function reportError(error: unknown): number {
  if (error instanceof SwarmError && error.code === 'ABORTED') {
    screen.error(`swarm: ${error.message}`)
    return 130
  }
  screen.error(`swarm: ${messageForPerson(error)}`)
  if (!(error instanceof SwarmError) && error instanceof Error && error.stack !== undefined) {
    screen.error(`${error.stack}\nThis looks like a bug in swarmtune: please report it.`)
  }
  return 1
}
