// A time limit for synchronous work on untrusted input. `#limits` is the implementation that package.json's "imports"
// picks.

/**
 * Returns what `compute` returns. A computation that runs longer than `timeoutMs` is stopped where it stands, also inside a
 * regular expression, and DEADLINE (not retryable) names `what`: "tokenizer.json: pattern (a+)+$". Errors of `compute` pass through.
 *
 * The limit is of wall-clock time, so it must leave room for a busy machine. A call costs 0.2 ms: guard a whole text, not a word.
 * It does not bound memory, and a computation that awaits is not stopped. What a stopped computation was changing is half changed.
 */
export type WithinTimeLimit = <T>(timeoutMs: number, what: string, compute: () => T) => T
