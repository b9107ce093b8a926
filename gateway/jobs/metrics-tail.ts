// The lines of a run's metrics.jsonl as they are written. Knows no run.
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type MetricsLine, parseJson, readMetrics, SwarmError } from '../../client/index.ts'

/** The lines that a run has written so far; none before its first. */
export async function metricsOf(folder: string): Promise<MetricsLine[]> {
  try {
    return await readMetrics(folder)
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'NOT_FOUND') return []
    throw error
  }
}

/** Reads what a run adds to its metrics.jsonl. */
export class MetricsTail {
  readonly #path: string
  #read = 0

  constructor(folder: string) {
    this.#path = join(folder, 'metrics.jsonl')
  }

  /** Whole lines since the last call. */
  async next(): Promise<MetricsLine[]> {
    const file = await open(this.#path)
    try {
      const { size } = await file.stat()
      const bytes = Buffer.alloc(Math.max(0, size - this.#read))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#read)
      const whole = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf('\n') + 1)
      this.#read += whole.length
      return whole
        .toString()
        .split('\n')
        .filter(line => line !== '')
        .map(line => parseJson(line) as MetricsLine)
    } finally {
      await file.close()
    }
  }
}
