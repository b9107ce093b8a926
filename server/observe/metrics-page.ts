// HTTP pages for monitoring a server: `/metrics` for Prometheus and `/health` for load balancers and containers.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { messageOf, SwarmError } from '../../common/errors.ts'
import type { ServerMetrics } from './metrics.ts'

export interface MetricsPageInit {
  /** TCP port on all interfaces; 0: any free one */
  readonly port: number
  /** `/health` answers 200 while it holds, else 503 */
  readonly healthy: () => boolean
}

export class MetricsPage {
  readonly #metrics: Pick<ServerMetrics, 'page'>
  readonly #init: MetricsPageInit
  readonly #server: Server

  constructor(components: { metrics: Pick<ServerMetrics, 'page'> }, init: MetricsPageInit) {
    this.#metrics = components.metrics
    this.#init = init
    this.#server = createServer((request, response) => {
      // a reader that disconnects in the middle of the page
      response.on('error', () => {})
      this.#answer(request.url ?? '').then(
        ({ status, type = 'text/plain', text }) => response.writeHead(status, { 'content-type': type }).end(text),
        error => response.writeHead(500).end(`${messageOf(error)}\n`)
      )
    })
  }

  /** the port it listens on, 0 before it does */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0
  }

  /** @throws SwarmError ADDRESS_IN_USE, INVALID_ARGUMENT for an invalid port */
  async start(): Promise<void> {
    const { port } = this.#init
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    try {
      this.#server.listen(port, resolve)
      await promise
      // a connection that cannot be accepted later (for example without descriptors) must not end the server
      this.#server.on('error', () => {})
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
        throw new SwarmError('ADDRESS_IN_USE', `metrics port ${port} is taken: choose another (0 takes any free one)`, {
          cause
        })
      }
      throw new SwarmError('INVALID_ARGUMENT', `cannot serve metrics on port ${port}: ${messageOf(cause)}`, { cause })
    }
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(url: string): Promise<{ status: number; type?: string; text: string }> {
    if (url === '/metrics') {
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: await this.#metrics.page() }
    }
    if (url !== '/health') return { status: 404, text: 'there are /metrics and /health\n' }
    return this.#init.healthy() ? { status: 200, text: 'ok\n' } : { status: 503, text: 'not online\n' }
  }
}
