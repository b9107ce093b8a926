// The API on a socket: listens, serves the application, and stops so that running answers can end.
import type { Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Server as NetServer } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { within } from '../common/async.ts'
import { messageOf, SwarmError } from '../common/errors.ts'
import { hour, second } from '../common/units.ts'
import { createApp } from './app.ts'
import type { GatewayContext } from './http/api.ts'

/** A certificate chain and its key, PEM. */
export interface GatewayTls {
  readonly cert: string
  readonly key: string
}

export interface GatewayInit {
  /** address to listen on; default 127.0.0.1 */
  readonly host?: string
  /** TCP port; 0: any free one. Default 8000 */
  readonly port?: number
  /** serve HTTPS; default: HTTP */
  readonly tls?: GatewayTls
}

/** Files may take an hour; a JSON body has a limit of its own. */
const requestTimeoutMs = hour
const headersTimeoutMs = 30 * second
/** Proxies keep idle connections for a minute; a server that closes them first makes their next request fail. */
const keepAliveTimeoutMs = 75 * second

/** How long aborted answers have to tell their clients. */
const abortMs = 2 * second

/** Throws ADDRESS_IN_USE, INVALID_ARGUMENT for an address that this machine does not have. */
async function listen(server: NetServer, { host, port }: { host: string; port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  try {
    server.listen(port, host, resolve)
    await promise
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      const next = 'stop the program that uses it, or choose another port (0 takes any free one)'
      throw new SwarmError('ADDRESS_IN_USE', `port ${port} of ${host} is taken: ${next}`, { cause })
    }
    throw new SwarmError('INVALID_ARGUMENT', `cannot listen on ${host}, port ${port}: ${messageOf(cause)}`, { cause })
  } finally {
    server.off('error', reject)
  }
}

/**
 * Listens for a moment, so that an address that cannot be had is known before models are opened. Throws ADDRESS_IN_USE,
 * INVALID_ARGUMENT for an address that this machine does not have.
 */
export async function probeAddress(address: { host: string; port: number }): Promise<void> {
  const server = createNetServer()
  await listen(server, address)
  await new Promise(resolve => server.close(resolve))
}

export class Gateway implements AsyncDisposable {
  readonly context: GatewayContext
  readonly #host: string
  readonly #port: number
  readonly #scheme: 'http' | 'https'
  readonly #server: Server
  #stopping: Promise<void> | undefined

  constructor(context: GatewayContext, { host = '127.0.0.1', port = 8000, tls }: GatewayInit) {
    this.context = context
    this.#host = host
    this.#port = port
    this.#scheme = tls === undefined ? 'http' : 'https'
    const api = createApp(context)
    const serverOptions = {
      requestTimeout: requestTimeoutMs,
      headersTimeout: headersTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs
    }
    // its own Request and Response would replace the global ones of the whole process
    const options = { fetch: api.fetch, overrideGlobalObjects: false, hostname: 'localhost' }
    try {
      this.#server = (
        tls === undefined
          ? createAdaptorServer({ ...options, serverOptions })
          : createAdaptorServer({
              ...options,
              createServer: createSecureServer,
              serverOptions: { ...serverOptions, cert: tls.cert, key: tls.key }
            })
      ) as Server
    } catch (cause) {
      const next = 'give a certificate chain and its own private key, both PEM'
      throw new SwarmError('INVALID_ARGUMENT', `TLS: ${messageOf(cause)}: ${next}`, { cause })
    }
  }

  /** Where it listens: `http://127.0.0.1:8000`; of all addresses, this machine's own. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo
    const all: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
    const host = all[address] ?? address
    return `${this.#scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
  }

  /** Listens. Throws ADDRESS_IN_USE, INVALID_ARGUMENT for an address that this machine does not have. */
  async start(): Promise<void> {
    const [host, port] = [this.#host, this.#port]
    const { files, jobs } = this.context
    await files.start()
    await jobs.start()
    await listen(this.#server, { host, port })
    // a connection that cannot be accepted later, without descriptors say, ends no gateway
    this.#server.on('error', error => this.context.logger.warn({ err: error }, 'the HTTP server reports an error'))
  }

  /**
   * Stops: no new connections and generations; those that run may end. After the grace period they are aborted, which their clients are
   * told. Resolves when nothing runs any more. A second call waits for the first.
   * @param options.graceMs default 0
   */
  stop({ graceMs = 0 }: { graceMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<void> {
    const { jobs } = this.context
    const paused = jobs.stop()
    try {
      await this.#close(graceMs)
    } finally {
      await paused
    }
  }

  async #close(graceMs: number): Promise<void> {
    if (!this.#server.listening) return
    const { admission, open } = this.context
    const closed = new Promise<void>(resolve => void this.#server.close(() => resolve()))
    admission.close()
    this.#server.closeIdleConnections()
    await within(graceMs, open.settled())
    open.abortAll(new SwarmError('ABORTED', 'the gateway stops: ask again later, or another one'))
    await within(abortMs, open.idle())
    this.#server.closeAllConnections()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** A gateway over models and a store, which its caller opens and closes. It does not listen yet. */
export function createGateway(context: GatewayContext, init: GatewayInit = {}): Gateway {
  return new Gateway(context, init)
}
