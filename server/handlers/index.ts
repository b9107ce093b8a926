// The table of handlers: one for each protocol. The network itself serves the directory protocol.
import type { Handler, HandlerOptions } from '../../network/network.ts'
import { protocols } from '../../proto/protocols.ts'
import type { ServerContext } from '../context.ts'
import {
  maxPushStreamsPerPeer,
  maxRequestFrameBytes,
  maxSessionsPerPeer,
  maxSmallFrameBytes,
  maxTensorStreamsPerPeer
} from '../limits.ts'
import { type HeaderContext, headerCheck } from '../requests/headers.ts'
import { backwardHandler } from './backward.ts'
import { forwardHandler } from './forward.ts'
import { inferenceHandler } from './inference.ts'
import { infoHandler } from './info.ts'
import { pushHandler } from './push.ts'
import { tensorsHandler } from './tensors.ts'

interface Row {
  readonly protocol: string
  readonly handler: (context: ServerContext) => Handler
  readonly options: (context: ServerContext) => HandlerOptions
}

/** Options of protocols whose frames bring tensors. */
const ofTensors = (context: HeaderContext & Pick<ServerContext, 'maxFrameBytes'>): HandlerOptions => ({
  maxFrameBytes: context.maxFrameBytes,
  admit: headerCheck(context)
})

export const handlers = {
  info: {
    protocol: protocols.info,
    handler: infoHandler,
    options: () => ({ maxFrameBytes: maxSmallFrameBytes })
  },
  forward: {
    protocol: protocols.forward,
    handler: forwardHandler,
    options: ofTensors
  },
  backward: {
    protocol: protocols.backward,
    handler: backwardHandler,
    options: ofTensors
  },
  inference: {
    protocol: protocols.inference,
    handler: inferenceHandler,
    options: context => ({ ...ofTensors(context), maxStreamsPerPeer: maxSessionsPerPeer })
  },
  push: {
    protocol: protocols.push,
    handler: pushHandler,
    options: context => ({ ...ofTensors(context), maxStreamsPerPeer: maxPushStreamsPerPeer })
  },
  tensors: {
    protocol: protocols.tensors,
    handler: tensorsHandler,
    options: () => ({ maxFrameBytes: maxRequestFrameBytes, maxStreamsPerPeer: maxTensorStreamsPerPeer })
  }
} satisfies Record<Exclude<keyof typeof protocols, 'directory' | 'probe'>, Row>
