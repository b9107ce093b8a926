// Prometheus metrics of a gateway. Knows no route.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { second } from '../../common/units.ts'

/** A request that has been answered, as metrics count it. */
export interface CountedRequest {
  /** `openai`, `anthropic`, `ollama`, or `gateway` for everything else */
  readonly dialect: string
  /** '' where none was named */
  readonly model: string
  readonly status: number
  readonly code: string | null
  readonly promptTokens: number
  readonly completionTokens: number
  readonly firstTokenMs: number | null
  readonly durationMs: number
}

/** State at the time of the scrape. */
export interface GatewayReadings {
  readonly running: number
  readonly queued: number
  readonly models: number
  readonly connections: number
}

const labels = ['dialect', 'model'] as const

const secondsBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

const gauges = {
  running: ['swarm_gateway_running', 'Generations under way'],
  queued: ['swarm_gateway_queue_length', 'Requests that wait for their turn'],
  models: ['swarm_gateway_models', 'Models and adapters served'],
  connections: ['swarm_gateway_requests_open', 'Requests that are not answered yet']
} as const satisfies Record<keyof GatewayReadings, readonly [string, string]>

export class GatewayMetrics {
  /** for metrics of other parts */
  readonly registry = new Registry()
  readonly #requests = new Counter({
    name: 'swarm_gateway_requests_total',
    help: 'Requests answered, by dialect, model and status',
    labelNames: [...labels, 'status'] as const,
    registers: [this.registry]
  })
  readonly #errors = new Counter({
    name: 'swarm_gateway_errors_total',
    help: 'Requests that failed, by dialect, model and code',
    labelNames: [...labels, 'code'] as const,
    registers: [this.registry]
  })
  readonly #tokens = new Counter({
    name: 'swarm_gateway_tokens_total',
    help: 'Tokens of prompts and answers',
    labelNames: [...labels, 'kind'] as const,
    registers: [this.registry]
  })
  readonly #firstToken = new Histogram({
    name: 'swarm_gateway_first_token_seconds',
    help: 'Time from the arrival of a request to the first token of its answer',
    labelNames: labels,
    buckets: secondsBuckets,
    registers: [this.registry]
  })
  readonly #perToken = new Histogram({
    name: 'swarm_gateway_token_seconds',
    help: 'Mean time of a token after the first, of each answer',
    labelNames: labels,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [this.registry]
  })
  readonly #duration = new Histogram({
    name: 'swarm_gateway_request_seconds',
    help: 'Time from the arrival of a request to the end of its answer',
    labelNames: labels,
    buckets: secondsBuckets,
    registers: [this.registry]
  })

  /**
   * @param read is asked for the gauges at each scrape
   * @param jobs the same for fine-tuning jobs, by state
   */
  constructor(read: () => GatewayReadings, jobs: () => ReadonlyMap<string, number> = () => new Map()) {
    new Gauge({
      name: 'swarm_gateway_jobs',
      help: 'Fine-tuning jobs, by state',
      labelNames: ['state'] as const,
      registers: [this.registry],
      collect() {
        this.reset()
        for (const [state, count] of jobs()) this.set({ state }, count)
      }
    })
    for (const [key, [name, help]] of Object.entries(gauges)) {
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read()[key as keyof GatewayReadings])
        }
      })
    }
  }

  /** Adds metrics of the Node process: memory, CPU, event loop. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.registry, prefix: 'swarm_gateway_' })
  }

  count(request: CountedRequest): void {
    const { dialect, model, status, code, promptTokens, completionTokens, firstTokenMs, durationMs } = request
    const about = { dialect, model }
    this.#requests.inc({ ...about, status: String(status) })
    if (code !== null) this.#errors.inc({ ...about, code })
    if (promptTokens > 0) this.#tokens.inc({ ...about, kind: 'prompt' }, promptTokens)
    if (completionTokens > 0) this.#tokens.inc({ ...about, kind: 'completion' }, completionTokens)
    this.#duration.observe(about, durationMs / second)
    if (firstTokenMs === null) return
    this.#firstToken.observe(about, firstTokenMs / second)
    if (completionTokens > 1)
      this.#perToken.observe(about, (durationMs - firstTokenMs) / second / (completionTokens - 1))
  }

  /** In Prometheus' text format. */
  page(): Promise<string> {
    return this.registry.metrics()
  }
}
