// Prometheus metrics of a server, and the page that shows them.
import { createServer, type Server } from 'node:http'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { SwarmError } from '../common/errors.ts'

export interface GaugeReadings {
  readonly cacheBytesUsed: number
  readonly cacheBytesTotal: number
  readonly residualBytesUsed: number
  readonly sessions: number
  readonly queueLength: number
}

export class ServerMetrics {
  readonly #registry = new Registry()
  readonly #requests = new Counter({
    name: 'swarm_requests_total',
    help: 'Requests answered, by kind and result (ok or an error code)',
    labelNames: ['kind', 'result'] as const,
    registers: [this.#registry]
  })
  readonly #seconds = new Histogram({
    name: 'swarm_request_seconds',
    help: 'Time from a request read to its answer sent',
    labelNames: ['kind'] as const,
    buckets: [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
    registers: [this.#registry]
  })
  readonly #tokens = new Counter({
    name: 'swarm_tokens_total',
    help: 'Tokens computed, by kind of pass',
    labelNames: ['pass'] as const,
    registers: [this.#registry]
  })

  /** @param read is asked for the gauges whenever the page is */
  constructor(read: () => GaugeReadings) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'swarm_' })
    const gauges = {
      cacheBytesUsed: ['swarm_kv_cache_bytes', 'KV cache reserved by sessions'],
      cacheBytesTotal: ['swarm_kv_cache_limit_bytes', 'KV cache budget'],
      residualBytesUsed: ['swarm_residual_bytes', 'Activations kept between forward and backward'],
      sessions: ['swarm_sessions', 'Open inference sessions'],
      queueLength: ['swarm_queue_length', 'Requests that wait for the device']
    } as const satisfies Record<keyof GaugeReadings, readonly [string, string]>
    for (const [key, [name, help]] of Object.entries(gauges)) {
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read()[key as keyof GaugeReadings])
        }
      })
    }
  }

  /** Counts and times one request; call what comes back with its result. */
  begin(kind: string): (result: string) => void {
    const stop = this.#seconds.startTimer({ kind })
    return result => {
      stop()
      this.#requests.inc({ kind, result })
    }
  }

  tokens(pass: 'forward' | 'backward' | 'inference', count: number): void {
    this.#tokens.inc({ pass }, count)
  }

  page(): Promise<string> {
    return this.#registry.metrics()
  }
}

/**
 * Serves `/metrics` and `/health` (200 while `healthy`, else 503) on a port.
 * @throws SwarmError ADDRESS_IN_USE
 */
export async function serveMetrics(metrics: ServerMetrics, port: number, healthy: () => boolean): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      metrics.page().then(
        page => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(page),
        () => response.writeHead(500).end()
      )
    } else if (request.url === '/health') {
      response.writeHead(healthy() ? 200 : 503, { 'content-type': 'text/plain' }).end(healthy() ? 'ok\n' : 'leaving\n')
    } else {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => {
      const taken = 'code' in error && error.code === 'EADDRINUSE'
      reject(
        taken
          ? new SwarmError('ADDRESS_IN_USE', `metrics port ${port} is taken: choose another with --metrics-port`, {
              cause: error
            })
          : error
      )
    })
    server.listen(port, resolve)
  })
  return server
}
