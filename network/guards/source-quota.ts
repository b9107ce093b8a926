// Quotas of stored keys per source, because identities are free and memory is not. Pure except for the clock.

interface Window {
  readonly keys: Set<string>
  readonly endsAt: number
}

export interface SourceQuotaInit {
  /** keys of one source in one window */
  readonly maxKeys: number
  readonly windowMs: number
  /** sources that are remembered; past it the oldest is forgotten */
  readonly maxSources: number
  /** milliseconds since 1970 */
  readonly now?: () => number
}

export class SourceQuota {
  /** by source, oldest first */
  readonly #windows = new Map<string, Window>()
  readonly #init: SourceQuotaInit
  readonly #now: () => number

  constructor(init: SourceQuotaInit) {
    this.#init = init
    this.#now = init.now ?? Date.now
  }

  get sources(): number {
    return this.#windows.size
  }

  /** Whether the source may store under the key; keys that it has stored under before count once. */
  admit(source: string, key: string): boolean {
    const { maxKeys, windowMs, maxSources } = this.#init
    let window = this.#windows.get(source)
    if (!window || window.endsAt <= this.#now()) {
      this.#windows.delete(source)
      window = { keys: new Set(), endsAt: this.#now() + windowMs }
      this.#windows.set(source, window)
      if (this.#windows.size > maxSources) this.#windows.delete(this.#windows.keys().next().value!)
    }
    if (window.keys.has(key)) return true
    if (window.keys.size >= maxKeys) return false
    window.keys.add(key)
    return true
  }
}
