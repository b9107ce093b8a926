// The logger interface of components; pino's satisfies it. Knows no transport.

type Log = (fields: object, message: string) => void

/** Where a library says what it does; a line has fields and a message, as of pino. */
export interface Logger {
  /** requests and routes */
  debug: Log
  /** what happens */
  info: Log
  /** what an operator should look at */
  warn: Log
  /** what failed */
  error: Log
}

/** A logger for tests and for library users who brought none. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
