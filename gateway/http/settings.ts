// Settings of a gateway: who may use it, how much, and what it tells of how it generates.
import { GiB, MiB, second } from '../../common/units.ts'

/** How answers are generated, as the status shows it: each field as the operator gave it; null: not set. */
export interface GenerationSettings {
  /** tokens proposed by prompt lookup or by the draft model */
  readonly speculate: number | null
  /** small model that proposes tokens */
  readonly draft: string | null
  /** share of results that are computed again on another server */
  readonly audit: number | null
  /** only servers with this precision */
  readonly requireDtype: string | null
  /** encoding of hidden states on the wire */
  readonly codec: string | null
}

export interface GatewaySettings {
  /** `keys`: each request needs a key; `none`: no key is needed */
  readonly auth: 'none' | 'keys'
  /** names in the Host header beside addresses, localhost and this machine's name; null: any name */
  readonly allowedHosts: readonly string[] | null
  /** origins whose pages may use the API; `*`: all. Empty: only the gateway's own page */
  readonly cors: readonly string[]
  /** addresses or ranges (`10.0.0.0/8`) of proxies whose forwarded headers are believed */
  readonly trustedProxies: readonly string[]
  /** most bytes of a JSON body */
  readonly maxBodyBytes: number
  /** most bytes of the JSON bodies of all requests that are not answered yet */
  readonly maxBodiesBytes: number
  /** most bytes of an uploaded file with its form */
  readonly maxUploadBytes: number
  /** how long a JSON body may take to arrive */
  readonly bodyTimeoutMs: number
  /** generations at once. A server takes 32 sessions of one peer, which the whole gateway is: more need replicas */
  readonly maxConcurrent: number
  /** requests that wait for one of them to end */
  readonly maxQueued: number
  /** of each key without limits of its own; null: no limit */
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly generation: GenerationSettings
}

export const defaultSettings: GatewaySettings = {
  auth: 'none',
  allowedHosts: [],
  cors: [],
  trustedProxies: [],
  maxBodyBytes: 32 * MiB,
  maxBodiesBytes: 512 * MiB,
  maxUploadBytes: 1 * GiB,
  bodyTimeoutMs: 60 * second,
  maxConcurrent: 32,
  maxQueued: 1024,
  requestsPerMinute: null,
  tokensPerMinute: null,
  generation: { speculate: null, draft: null, audit: null, requireDtype: null, codec: null }
}
