// Time limits on Node. V8 ends a running script, regular expressions included, when the watchdog of node:vm asks it to.
import { type Context, createContext, Script } from 'node:vm'
import { SwarmError } from '../errors.ts'
import type { WithinTimeLimit } from '../limits.ts'

type Room = Context & { compute: () => void }

/** The watchdog stops only what a script calls, and a script finds functions only among its globals. Made when first needed. */
let room: { readonly globals: Room; readonly script: Script } | undefined

function openRoom(): { readonly globals: Room; readonly script: Script } {
  room ??= {
    globals: createContext({ compute: () => {} }) as Room,
    script: new Script('compute()', { filename: 'time-limit' })
  }
  return room
}

/** The error is of the room's realm, so `instanceof Error` does not know it. */
const isTimeout = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'

export const withinTimeLimit: WithinTimeLimit = <T>(timeoutMs: number, what: string, compute: () => T): T => {
  const { globals, script } = openRoom()
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined
  const outer = globals.compute
  globals.compute = () => {
    try {
      outcome = { value: compute() }
    } catch (error) {
      outcome = { error }
    }
  }
  try {
    script.runInContext(globals, { timeout: timeoutMs })
  } catch (cause) {
    // time may run out just after the result is there
    if (outcome === undefined) {
      if (!isTimeout(cause)) throw cause
      const message = `${what}: stopped after ${timeoutMs / 1000} s, the longest that it may run (is the file damaged, or made to harm?)`
      throw new SwarmError('DEADLINE', message, { cause, retryable: false })
    }
  } finally {
    globals.compute = outer
  }
  if (outcome === undefined) throw new SwarmError('INTERNAL', `${what}: ended without a result`)
  if ('error' in outcome) throw outcome.error
  return outcome.value
}
