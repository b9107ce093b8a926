// What the gateway tells its operator.

export interface Key {
  readonly id: string
  readonly name: string
  /** Unix times in seconds */
  readonly created: number
  readonly revoked: number | null
  readonly lastUsed: number | null
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly operator: boolean
}

export interface RequestRow {
  readonly id: string
  /** Unix time in milliseconds */
  readonly time: number
  readonly keyId: string | null
  readonly model: string | null
  readonly method: string
  readonly path: string
  readonly status: number
  readonly code: string | null
  readonly promptTokens: number
  readonly completionTokens: number
  readonly firstTokenMs: number | null
  readonly durationMs: number
}

export interface UsageRow {
  readonly day: string
  readonly keyId: string | null
  readonly model: string | null
  readonly requests: number
  readonly errors: number
  readonly promptTokens: number
  readonly completionTokens: number
}

export interface LogLine {
  readonly number: number
  /** Unix time in milliseconds */
  readonly time: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: string
}
