// The table of handlers: a protocol, and who serves it. The directory protocol is the network's own.
import type { Handler, HandlerOptions } from '../../network/network.ts'
import { protocols } from '../../proto/protocols.ts'
import type { ServerContext } from '../context.ts'
import { maxSessionsPerPeer } from '../limits.ts'
import { backwardHandler } from './backward.ts'
import { forwardHandler } from './forward.ts'
import { inferenceHandler } from './inference.ts'
import { infoHandler } from './info.ts'

interface Row {
  readonly protocol: string
  readonly handler: (context: ServerContext) => Handler
  readonly options?: HandlerOptions
}

export const handlers = {
  info: { protocol: protocols.info, handler: infoHandler },
  forward: { protocol: protocols.forward, handler: forwardHandler },
  backward: { protocol: protocols.backward, handler: backwardHandler },
  inference: {
    protocol: protocols.inference,
    handler: inferenceHandler,
    options: { maxStreamsPerPeer: maxSessionsPerPeer }
  }
} satisfies Record<Exclude<keyof typeof protocols, 'directory'>, Row>
