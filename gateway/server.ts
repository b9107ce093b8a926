// The API on a socket: listens, serves the application, and stops so that running answers can end.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { messageOf, SwarmError } from '../common/errors.ts'
import { createApp } from './app.ts'
import type { GatewayContext } from './http/api.ts'

export interface GatewayInit {
  /** address to listen on; default 127.0.0.1 */
  readonly host?: string
  /** TCP port; 0: any free one. Default 8000 */
  readonly port?: number
}

export interface Gateway extends AsyncDisposable {
  /** where it listens: `http://127.0.0.1:8000` */
  readonly url: string
  readonly context: GatewayContext
  /** Listens. Throws ADDRESS_IN_USE, INVALID_ARGUMENT for an address that this machine does not have. */
  start(): Promise<void>
  /** Stops listening and ends. Does nothing the second time. */
  stop(): Promise<void>
}

/** The address as it stands in a URL. */
const hostOfUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address)

class HttpGateway implements Gateway {
  readonly context: GatewayContext
  readonly #init: Required<GatewayInit>
  readonly #server: Server

  constructor(context: GatewayContext, init: GatewayInit) {
    this.context = context
    this.#init = { host: '127.0.0.1', port: 8000, ...init }
    const api = createApp(context)
    // its own Request and Response would replace the global ones of the whole process
    this.#server = createAdaptorServer({ fetch: api.fetch, overrideGlobalObjects: false }) as Server
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `http://${hostOfUrl(address)}:${port}`
  }

  async start(): Promise<void> {
    const { host, port } = this.#init
    const { files, jobs } = this.context
    await files.start()
    await jobs.start()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    try {
      this.#server.listen(port, host, resolve)
      await promise
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code
      if (code === 'EADDRINUSE') {
        const next = 'stop the program that uses it, or choose another port (0 takes any free one)'
        throw new SwarmError('ADDRESS_IN_USE', `port ${port} of ${host} is taken: ${next}`, { cause })
      }
      throw new SwarmError('INVALID_ARGUMENT', `cannot listen on ${host}, port ${port}: ${messageOf(cause)}`, { cause })
    } finally {
      this.#server.off('error', reject)
    }
    // a connection that cannot be accepted later, without descriptors say, ends no gateway
    this.#server.on('error', error => this.context.logger.warn({ err: error }, 'the HTTP server reports an error'))
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>(resolve => void this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
    await this.context.jobs.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** A gateway over models and a store, which its caller opens and closes. It does not listen yet. */
export function createGateway(context: GatewayContext, init: GatewayInit = {}): Gateway {
  return new HttpGateway(context, init)
}
