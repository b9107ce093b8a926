// How commands speak: lines on stdout, logs and errors on stderr, one signal for Ctrl-C.
import { pino } from 'pino'
import { messageOf, SwarmError } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { MiB } from '../common/units.ts'
import type { LogLevel } from './options.ts'

/** bytes of log lines that wait for room where they are written to; more are dropped */
const maxUnwrittenLog = 1 * MiB

export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

export function createLogger(level: LogLevel): Logger {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: maxUnwrittenLog })
  // a log that cannot be written, to a full disk say, ends no server
  destination.on('error', () => {})
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
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

/** Prints an error for a person (`swarm: …`, with what caused it) and gives the exit status. */
export function reportError(error: unknown): number {
  if (error instanceof SwarmError && error.code === 'ABORTED') {
    process.stderr.write(`swarm: ${error.message}\n`)
    return 130
  }
  process.stderr.write(`swarm: ${messageOf(error)}\n`)
  if (!(error instanceof SwarmError) && error instanceof Error && error.stack !== undefined) {
    process.stderr.write(`${error.stack}\nThis looks like a bug in swarmtune: please report it.\n`)
  }
  return 1
}
