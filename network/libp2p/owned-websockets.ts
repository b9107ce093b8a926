// libp2p's WebSockets with an owner for every error. Upstream listens to no 'error' event of a WebSocket, so that one
// malformed frame of a stranger ended the process; it also keeps sockets that never say a word, and aborts none.
import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Listener, Transport } from '@libp2p/interface'
import { webSockets } from '@libp2p/websockets'
import { upgradeTimeoutMs } from '../constants.ts'

type Factory = ReturnType<typeof webSockets>

/** A WebSocket of `ws`, as a listener has it. */
interface ServedSocket extends EventEmitter {
  close(code?: number, reason?: string): void
  /** destroys the TCP socket at once */
  terminate(): void
}

/** the part of upstream's listener that its interface does not show, @libp2p/websockets 10.x */
interface WebSocketListener extends Listener {
  readonly server: Server
  onWsServerConnection(socket: ServedSocket, request: IncomingMessage): void
}

/** the part of upstream's transport that its interface does not show */
interface WebSocketTransport extends Transport {
  _connect(...call: unknown[]): Promise<WebSocket>
}

/** upstream resets with the code of an abnormal closure, which may not be sent: the call throws and nothing is closed */
const abnormalClosure = 1006

/** A WebSocket transport whose sockets end, and end nothing else, when something is wrong with them. */
export function ownedWebSockets(init?: Parameters<typeof webSockets>[0]): Factory {
  const create = webSockets(init)
  return components => {
    const transport = create(components) as WebSocketTransport
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options => own(createListener(options) as WebSocketListener)
    const connect = transport._connect.bind(transport)
    transport._connect = async (...call) => {
      let socket: WebSocket
      try {
        socket = await connect(...call)
      } catch (error) {
        throw error instanceof Error ? error : connectError(error as { error?: unknown })
      }
      const close = socket.close.bind(socket)
      socket.close = (code, reason) => (code === abnormalClosure ? close() : close(code, reason))
      return socket
    }
    return transport
  }
}

/** Node's error event of a WebSocket that did not open does not say why. */
function connectError({ error }: { readonly error?: unknown }): Error {
  return new Error('no WebSocket answers there', { cause: error })
}

function own(listener: WebSocketListener): WebSocketListener {
  const sockets = new Set<Socket>()
  const waiting = new WeakMap<Socket, NodeJS.Timeout>()
  // an accept that fails, for want of descriptors say, is no reason to end
  listener.server.on('error', () => {})
  listener.server.on('connection', socket => {
    sockets.add(socket)
    const timer = setTimeout(() => socket.destroy(), upgradeTimeoutMs).unref()
    waiting.set(socket, timer)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(timer)
      sockets.delete(socket)
    })
  })

  const onWsServerConnection = listener.onWsServerConnection.bind(listener)
  listener.onWsServerConnection = (socket, request) => {
    clearTimeout(waiting.get(request.socket))
    socket.on('error', () => socket.terminate())
    const close = socket.close.bind(socket)
    socket.close = (code, reason) => (code === abnormalClosure ? socket.terminate() : close(code, reason))
    onWsServerConnection(socket, request)
  }

  const close = listener.close.bind(listener)
  listener.close = async () => {
    const closed = close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return listener
}
