// Classifies why a dial did not reach a peer of this swarm, by the step that failed. Pure.
import { SwarmError } from '../../common/errors.ts'
import { dialReason } from '../addresses.ts'

/**
 * The step that failed:
 *
 * - `dead`: no TCP connection (nothing listens, the name is unknown, there is no route)
 * - `silent`: a TCP connection or none, and no answer in time
 * - `handshake`: something accepts connections there, but is no peer of this swarm: another secret, or another program
 * - `identity`: a peer with another id than the address names
 * - `refused`: the peer closed the connection after it had learned the id of this one: an allow-list
 * - `excluded`: the allow-list of this peer does not name it
 */
export type DialStep = 'dead' | 'silent' | 'handshake' | 'identity' | 'refused' | 'excluded'

/** One address that was dialed without success. */
export interface DialFailure {
  /** multiaddr as it was given */
  readonly address: string
  readonly step: DialStep
  /** one line for people */
  readonly reason: string
}

/** The peer closed a connection whose handshake was done. */
export class ClosedAtOnceError extends Error {
  constructor() {
    super('it closed the connection at once')
    this.name = 'ClosedAtOnceError'
  }
}

const stepOfName: Readonly<Record<string, DialStep>> = {
  ClosedAtOnceError: 'refused',
  // the handshake is done by then
  MuxerUnavailableError: 'refused',
  DialDeniedError: 'excluded',
  ConnectionInterceptedError: 'excluded',
  TimeoutError: 'silent'
}

/** Steps from the least to the most that the other side has shown of itself. */
const order: readonly DialStep[] = ['dead', 'silent', 'handshake', 'excluded', 'identity', 'refused']

/** The step at which a dial failed, by libp2p's error; of several addresses, the one that got furthest. */
function dialStep(error: unknown): DialStep {
  if (error instanceof AggregateError && error.errors.length > 0) return furthest(error.errors.map(dialStep))
  if (!(error instanceof Error)) return 'dead'
  const { name, message, code, syscall } = error as NodeJS.ErrnoException
  if (stepOfName[name] !== undefined) return stepOfName[name]
  // errors of our own connection protection
  if (error instanceof SwarmError && error.code === 'UNREACHABLE') return 'handshake'
  if (/timed? ?out|timeout/i.test(message) || code === 'DEADLINE') return 'silent'
  if (name === 'EncryptionFailedError') return /identity key/.test(message) ? 'identity' : 'handshake'
  // the connection was there: reading and writing failed, not connecting
  if (syscall === 'read' || syscall === 'write' || /EPIPE|stream (that is|is) closed|Unexpected EOF/.test(message)) {
    return 'handshake'
  }
  return 'dead'
}

/** The furthest step; `dead` if there is none. */
export function furthest(steps: readonly DialStep[]): DialStep {
  return order[Math.max(0, ...steps.map(step => order.indexOf(step)))]!
}

/** An explanation if libp2p's own message is not helpful. */
function reasonOf(step: DialStep, error: unknown): string {
  const said = dialReason(error)
  const identities = /identity key (\S+) does not match expected remote identity key (\S+)/.exec(said)
  if (identities) return `expected peer ${identities[2]}, found ${identities[1]}`
  switch (step) {
    case 'silent':
      return `no answer in time (${said})`
    case 'handshake':
      return `it accepts connections, but does not complete the handshake (${said})`
    case 'refused':
      return 'it closed the connection at once, after both sides had proven who they are'
    case 'excluded':
      return 'the allow-list of this peer does not name it'
    default:
      return said
  }
}

/** The failure of one address. */
export function dialFailure(address: string, error: unknown): DialFailure {
  const step = dialStep(error)
  return { address, step, reason: reasonOf(step, error) }
}

/** What became of one address to join. */
export interface JoinResult {
  readonly address: string
  /** why no peer of the swarm answers there; undefined: one does */
  readonly failure?: DialFailure
}
