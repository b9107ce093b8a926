// Loaded into a server's process before anything else: another clock, and an address of its own for what it dials, by which the
// proxy tells its links from others.

import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'

// what is garbage is no leak, nor is what V8 keeps for later
process.on('SIGUSR2', () => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }))

const { CHAOS_CLOCK_MS: clock, CHAOS_SOURCE: source } = process.env

if (source !== undefined) {
  const connect = net.connect as (...args: unknown[]) => net.Socket
  const from = (...args: unknown[]): net.Socket => {
    const [options, ...rest] = args
    return typeof options === 'object' && options !== null && 'port' in options
      ? connect({ ...options, localAddress: source }, ...rest)
      : connect(...args)
  }
  Object.assign(net, { connect: from, createConnection: from })
  syncBuiltinESMExports()
}

if (clock !== undefined) {
  const ahead = Number(clock)
  const RealDate = Date
  class ShiftedDate extends RealDate {
    constructor(...values: unknown[]) {
      // @ts-expect-error any of the forms that Date has
      super(...(values.length === 0 ? [ShiftedDate.now()] : values))
    }
    static override now(): number {
      return RealDate.now() + ahead
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor
}
