// What audits need of the calls that they check, and what they answer. The audits themselves are in client/audit.
import type { BlockRange } from '../../common/range.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { PassGradients, SpanRequest } from './passes/span-request.ts'
import type { Hop } from './routing/routing.ts'

/** The request to one server. */
export interface AuditedRequest {
  readonly hop: Hop
  readonly input: Float32Tensor
  /** with the ports of the hop's blocks only */
  readonly request: SpanRequest
}

/** The results of a chain of forwarding servers for a session's inputs. */
export interface AuditedSession {
  /** in order */
  readonly hops: readonly Hop[]
  /** [batch, seq, hidden], padding on the right */
  readonly input: Float32Tensor
  readonly output: Float32Tensor
  /** tokens whose output is known */
  isKnown(row: number, position: number): boolean
  /** mask and ports */
  readonly request: SpanRequest
}

export type AuditKind = 'forward' | 'backward' | 'session'

/** A server that was found to lie; it gets no more requests. */
export interface Lie {
  /** the server */
  readonly peerId: string
  /** half-open range of what it computed */
  readonly blocks: BlockRange
  /** what it answered wrongly */
  readonly kind: AuditKind
  /** deviation in units of the tolerance; Infinity: not finite */
  readonly deviation: number
  /** what settled which of two servers lied */
  readonly decidedBy: 'a third server' | 'own blocks'
}

/** What audits have found so far. */
export interface AuditReport {
  /** requests and sessions that were computed again */
  readonly audits: number
  /** audits that agreed */
  readonly agreed: number
  /** the largest deviation among those, in units of the tolerance */
  readonly worstAgreed: number
  /** results differ, and no third result decided */
  readonly undecided: number
  /** no other server could recompute them */
  readonly unanswered: number
  /** servers that were found out */
  readonly lies: readonly Lie[]
  /** chains whose result was wrong though each server of them, asked alone, is right: sessions then go through the client */
  readonly suspected: readonly (readonly string[])[]
}

/** Checks some of the servers' results, see client/audit/auditor.ts. */
export interface ResultAuditor {
  readonly report: AuditReport
  /** true: servers of a session must not forward to each other */
  readonly relays: boolean
  /** Whether the next session is audited. */
  drawSession(): boolean
  /** Whether the first answer of these servers is checked before it is used. */
  isFirstSession(hops: readonly Hop[]): boolean
  /** Throws BAD_FRAME (retryable) if the output is a lie. */
  forward(asked: AuditedRequest, output: Float32Tensor): Promise<void>
  /** Throws BAD_FRAME (retryable) if the gradients are a lie. */
  backward(asked: AuditedRequest, gradient: Float32Tensor, result: PassGradients): Promise<void>
  /** Audits a session's results so far, in the background. */
  session(audited: AuditedSession): void
  /** Whether a session's results so far are a lie. */
  checkSession(audited: AuditedSession): Promise<boolean>
  /** Resolves when no audit is running. */
  settled(): Promise<void>
}
