// Prometheus metrics of a server.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { Activity, type PassKind } from './activity.ts'

/** The server's state at the time of the request. */
export interface GaugeReadings {
  readonly cacheBytesUsed: number
  readonly cacheBytesTotal: number
  readonly prefixBytesUsed: number
  readonly outputBytesUsed: number
  readonly adapterBytesUsed: number
  readonly residualBytesUsed: number
  readonly residualBytesTotal: number
  readonly sessions: number
  readonly queueLength: number
  readonly programs: number
  readonly strayErrors: number
}

const gauges = {
  cacheBytesUsed: ['swarm_kv_cache_bytes', 'KV cache reserved by sessions'],
  cacheBytesTotal: ['swarm_kv_cache_limit_bytes', 'KV cache budget'],
  prefixBytesUsed: ['swarm_prefix_bytes', 'Bytes of cached prefixes, in the free part of the KV cache budget'],
  outputBytesUsed: [
    'swarm_output_bytes',
    "Bytes of kept outputs of an encoder's blocks, for requests with the same input"
  ],
  adapterBytesUsed: [
    'swarm_adapter_bytes',
    'Bytes of adapters that no session uses, in the free part of the KV cache budget'
  ],
  residualBytesUsed: ['swarm_residual_bytes', 'Activations kept between forward and backward'],
  residualBytesTotal: ['swarm_residual_limit_bytes', 'Budget of activations kept between forward and backward'],
  sessions: ['swarm_sessions', 'Open inference sessions'],
  queueLength: ['swarm_queue_length', 'Requests that wait for the device'],
  programs: ['swarm_programs', 'Compiled graphs'],
  strayErrors: ['swarm_stray_errors', 'Errors of connections that nothing handled, since the process began']
} as const satisfies Record<keyof GaugeReadings, readonly [string, string]>

export class ServerMetrics {
  /** the same, for a line now and then */
  readonly activity = new Activity()
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
  readonly #bytes = new Counter({
    name: 'swarm_tensor_bytes_total',
    help: 'Bytes of tensors received and sent, as they are in memory',
    labelNames: ['direction'] as const,
    registers: [this.#registry]
  })

  readonly #prefixes = new Counter({
    name: 'swarm_prefix_positions_total',
    help: 'Positions of prompts that could be shared, by whether they were computed before',
    labelNames: ['result'] as const,
    registers: [this.#registry]
  })

  readonly #encoded = new Counter({
    name: 'swarm_encoder_requests_total',
    help: "Forward requests of an encoder's blocks without a backward: reused (kept output), batched with others, or computed alone",
    labelNames: ['result'] as const,
    registers: [this.#registry]
  })

  /**
   * @param read is asked for the gauges whenever the page is
   * @param memory the same for the parts that memory is divided into, in bytes by name
   */
  constructor(read: () => GaugeReadings, memory: () => Readonly<Record<string, number>> = () => ({})) {
    new Gauge({
      name: 'swarm_memory_plan_bytes',
      help: 'Memory that each part may take: the budget, weights, caches, activations, frames',
      labelNames: ['part'] as const,
      registers: [this.#registry],
      collect() {
        for (const [part, bytes] of Object.entries(memory())) this.set({ part }, bytes)
      }
    })
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

  /** Adds metrics of the Node process: memory, CPU, event loop. Has a small constant cost. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry, prefix: 'swarm_' })
  }

  /** Counts and times one request; call the returned function with its result. */
  begin(kind: string): (result: string) => void {
    const stop = this.#seconds.startTimer({ kind })
    return result => {
      stop()
      this.#requests.inc({ kind, result })
    }
  }

  /** Counts the tokens of a request that was computed. */
  tokens(pass: PassKind, count: number, peerId: string): void {
    this.#tokens.inc({ pass }, count)
    this.activity.add(pass, count, peerId)
  }

  prefix(result: 'reused' | 'computed', positions: number): void {
    this.#prefixes.inc({ result }, positions)
  }

  /** Counts a forward request of an encoder's blocks. */
  encoded(result: 'reused' | 'batched' | 'computed'): void {
    this.#encoded.inc({ result })
  }

  bytes(direction: 'received' | 'sent', count: number): void {
    this.#bytes.inc({ direction }, count)
  }

  /** In Prometheus' text format. */
  page(): Promise<string> {
    return this.#registry.metrics()
  }
}
