// Opens sessions: a chain of servers with room for a generation's cache.
import { throwIfAborted } from '../../../common/async.ts'
import { SwarmError, toSwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { BlockRange } from '../../../common/range.ts'
import type { Network } from '../../../network/network.ts'
import type { Codec } from '../../../proto/frame.ts'
import type { ResultAuditor } from '../audited.ts'
import { retry } from '../passes/retry.ts'
import type { Peers } from '../peers/peers.ts'
import type { Hop } from '../routing/routing.ts'
import { ChainBuilder } from './chain-builder.ts'
import { ChainSession } from './chain-session.ts'
import type { KeptPorts } from './kept-ports.ts'
import type { LivenessPing } from './liveness.ts'
import { SessionRecorder } from './recorder.ts'
import type { InferenceSession, SessionOptions } from './session.ts'

interface Components {
  readonly network: SessionNetwork
  readonly peers: Peers
  readonly auditor?: ResultAuditor | null
  /** shared by all sessions */
  readonly kept: KeptPorts
  readonly logger: Logger
}

/**
 * What a session needs from the network. Without pings and directory, it waits for silent servers, and servers do not
 * forward.
 */
export type SessionNetwork = Pick<Network, 'open'> & Partial<Pick<Network, 'ping' | 'directory'>>

interface SessionInit {
  readonly model: string
  /** of hidden states */
  readonly codec: Codec
  readonly hiddenSize: number
  readonly cacheBytesPerPosition: number
  readonly wholeSteps?: boolean
  readonly retryDelaysMs: readonly number[]
  readonly blocks: BlockRange
}

/** Opens a session on the fastest chain with memory for its cache; on another one if a server fails. */
export async function openInferenceSession(
  { network, peers, auditor, kept, logger }: Components,
  init: SessionInit,
  options: SessionOptions
): Promise<InferenceSession> {
  const { batch, maxLength, encoder, ports = {}, signal } = options
  for (const [name, value] of Object.entries({ batch, maxLength })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a whole number above 0, found ${value}`)
    }
  }
  const { retryDelaysMs, hiddenSize, wholeSteps = false } = init
  // keys and values of the encoder's states are held once for each input, whatever number of rows shares it
  const [inputs = 0, source = 0] = encoder?.hidden.shape ?? []
  const cacheBytesPerBlock = (batch * maxLength + inputs * source) * init.cacheBytesPerPosition
  const { directory } = network
  const recordOf = directory && ((peerId: string) => directory.recordOf(peerId))
  const ping: LivenessPing | undefined =
    network.ping && ((peerId, limit) => network.ping!(peerId, { addresses: peers.addressesOf(peerId), signal: limit }))
  const builder = new ChainBuilder(
    { network, peers, kept, logger, recordOf, ping, relays: () => auditor?.relays ?? false },
    { ...init, batch, maxLength, encoder, ports, digests: { of: ports }, cacheBytesPerBlock }
  )
  const building = retry(() => builder.build(signal), { delaysMs: retryDelaysMs, logger, signal })
  const chain = await building.catch(error => {
    throwIfAborted(signal)
    throw builder.givenUp(toSwarmError(error))
  })
  const audit = auditor && {
    isDrawn: auditor.drawSession(),
    isFirst: (hops: readonly Hop[]) => auditor.isFirstSession(hops),
    record: () => new SessionRecorder({ auditor }, { batch, hiddenSize, encoder, ports })
  }
  return new ChainSession(
    { builder, chain, logger, audit },
    { hiddenSize, batch, maxLength, retryDelaysMs, wholeSteps }
  )
}
