// The last-resort handler. It reports an unhandled error of a connection once, counts it, and lets the command continue.
// Any other unhandled error ends the command with its stack.
import { writeSync } from 'node:fs'
import { messageOf } from '../../common/errors.ts'
import { escapeControls } from '../../common/escape-controls.ts'
import { isConnectionError, strayErrors } from '../../network/libp2p/stray-errors.ts'
import { screen } from './terminal.ts'

/** BSD's EX_SOFTWARE: an error inside the program */
const internalErrorStatus = 70

/** maximum kinds of reported errors, so that a stranger cannot fill the log */
const maxTold = 100

function tell(text: string): void {
  try {
    screen.showLive(null)
    writeSync(2, `${escapeControls(text)}\n`)
  } catch {
    // standard error is closed or full: the error cannot be reported
  }
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** What an error is told once for: its kind and where it came from, not its numbers. */
function kindOf(error: unknown): string {
  const [first = '', ...frames] = describe(error).split('\n')
  return `${(error as NodeJS.ErrnoException)?.code ?? ''} ${first.replaceAll(/\d+/g, '#').slice(0, 80)} ${frames[0] ?? ''}`
}

/** From now on no error of a connection ends this process. Call once, before anything is started. */
export function installLastResort(): void {
  const told = new Set<string>()
  const onError = (error: unknown): void => {
    if (isConnectionError(error)) {
      strayErrors.count++
      const kind = kindOf(error)
      if (told.has(kind) || told.size >= maxTold) return
      told.add(kind)
      tell(`swarm: continues after an unhandled error of a connection (reported once): ${describe(error)}`)
      return
    }
    tell(`swarm: ends because of an unhandled error: ${messageOf(error)}`)
    tell(`${describe(error)}\nThis is a bug in swarmtune: please report it.`)
    process.exit(internalErrorStatus)
  }
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
  // a reader may stop before the end (`swarm status | head -1`): that stops no server and no training
  process.stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE' || process.exitCode === 1) return
    tell(`swarm: cannot write to standard output, what follows is lost there: ${messageOf(error)}`)
    process.exitCode = 1
  })
  process.stderr.on('error', () => {})
}
