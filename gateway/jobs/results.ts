// What a run leaves for its owner: metrics as a table, checkpoints, the adapter as one file. Knows no HTTP.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { makeZip, predictLength } from 'client-zip'
import Papa from 'papaparse'
import { checkpointsOf, type MetricsLine, SwarmError } from '../../client/index.ts'
import { second } from '../../common/units.ts'
import { metricsOf } from './metrics-tail.ts'
import { adapterPaths } from './serving.ts'

/** One row for each step, OpenAI's columns first. Missing values are empty cells. */
export async function metricsCsv(folder: string): Promise<string> {
  const rows = new Map<number, Record<string, unknown>>()
  for (const { step, loss, eval_loss, learning_rate, grad_norm, tokens_per_second, ...rest } of await metricsOf(
    folder
  )) {
    const measured = loss === undefined ? { valid_loss: eval_loss } : { train_loss: loss }
    const others = Object.fromEntries(
      Object.entries({ learning_rate, grad_norm, tokens_per_second, epoch: rest.epoch }).filter(
        ([, value]) => value !== undefined
      )
    )
    rows.set(step, { ...rows.get(step), step, ...measured, ...others })
  }
  const columns = ['step', 'train_loss', 'valid_loss', 'learning_rate', 'grad_norm', 'tokens_per_second', 'epoch']
  return `${Papa.unparse([...rows.values()], { columns, newline: '\n' })}\n`
}

/** A checkpoint of a job. */
export interface JobCheckpoint {
  readonly step: number
  /** Unix time, in seconds */
  readonly created: number
  /** what was measured last up to its step: names as of metrics.jsonl, as `loss`, `eval_loss` */
  readonly metrics: Readonly<Record<string, number>>
  readonly path: string
}

/** The newest first. */
export async function jobCheckpoints(folder: string): Promise<JobCheckpoint[]> {
  const lines = await metricsOf(folder)
  const found = await checkpointsOf(folder)
  const checkpoints = found.map(async ({ step, path }) => {
    const { mtimeMs } = await stat(path)
    return { step, path, created: Math.floor(mtimeMs / second), metrics: metricsAt(lines, step) }
  })
  return (await Promise.all(checkpoints)).reverse()
}

function metricsAt(lines: readonly MetricsLine[], step: number): Record<string, number> {
  const all = lines.filter(line => line.step <= step).flatMap(line => Object.entries(line))
  return Object.fromEntries(
    all.filter((entry): entry is [string, number] => typeof entry[1] === 'number' && /loss|accuracy/.test(entry[0]))
  )
}

/** An adapter's files as one zip, as it is read, with its length in bytes. Throws NOT_FOUND where there is no adapter yet. */
export async function adapterZip(folder: string): Promise<{ stream: ReadableStream<Uint8Array>; bytes: bigint }> {
  const paths = adapterPaths(folder)
  const files = await Promise.all(
    paths.map(async path => {
      const { size, mtime } = await stat(path).catch((cause: unknown) => {
        throw new SwarmError('NOT_FOUND', 'the job has no adapter yet: wait until it has succeeded', { cause })
      })
      return { path, name: basename(path), size, lastModified: mtime }
    })
  )
  const stream = makeZip(files.map(({ path, ...about }) => ({ ...about, input: createReadStream(path) })))
  return { stream, bytes: predictLength(files) }
}
