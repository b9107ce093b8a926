// Unhandled errors that reach the process: which of them are a connection's, and how many there were.
// Every emitter and promise of a dependency should have an owner; this is what is left where one has been overlooked.
import { SwarmError } from '../../common/errors.ts'

/** Unhandled errors that this process survived. Node reports them to the process, which cannot tell whose they are. */
export const strayErrors = { count: 0 }

/** of Node's system errors: what the other side, or the way to it, did */
const connectionCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ECANCELED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTCONN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPROTO'
])

/** calls that only sockets make: all their errors count, also those that a file may have */
const socketCalls = new Set([
  'accept',
  'addMembership',
  'bind',
  'connect',
  'dropMembership',
  'getaddrinfo',
  'listen',
  'recvmsg',
  'send',
  'sendmmsg',
  'setMulticastInterface',
  'setMulticastTTL'
])

/** codes that libraries give: `ws`, undici, Node's streams and TLS */
const libraryCode = /^(WS_ERR_|UND_ERR_|ERR_STREAM_|ERR_SOCKET_|ERR_HTTP|ERR_TLS_|ERR_SSL_|HPE_)/

/** our own codes of what went wrong with a peer */
const peerCodes = new Set(['UNREACHABLE', 'ABORTED', 'DEADLINE', 'BAD_FRAME', 'BUSY', 'DRAINING'])

/** packages that move bytes between peers, by the folder that a stack trace names */
const networkPackage =
  /[\\/]node_modules[\\/](@libp2p|libp2p|@chainsafe|@multiformats|@achingbrain|ws|undici|multicast-dns|dns-packet|uint8arraylist|main-event)[\\/]/

/** The line of the stack that the error was thrown at, of Node's own frames none; '' where there is none. */
function thrownAt(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter(line => /^\s+at /.test(line))
  return frames.find(line => !/\(?node:/.test(line)) ?? ''
}

/**
 * Whether an error is of one connection, socket or peer: the rest of the process is as sound as before. Anything else may
 * have left something half done.
 */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof SwarmError) return peerCodes.has(error.code)
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isConnectionError)
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall !== undefined && socketCalls.has(syscall)) return true
  if (code !== undefined && (connectionCodes.has(code) || libraryCode.test(code))) return true
  return networkPackage.test(thrownAt(error))
}
