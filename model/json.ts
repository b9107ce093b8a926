// JSON files of a model directory. Knows no fields.
import { readFile, stat } from 'node:fs/promises'
import { messageOf, SwarmError, toSwarmError } from '../common/errors.ts'
import { parseForeignJson } from '../common/foreign-json.ts'
import { MiB } from '../common/units.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The largest is a tokenizer.json of half a million merges: 34 MB. */
const maxFileBytes = 128 * MiB

/** The text of a file, or undefined where there is none. Throws BAD_CHECKPOINT for one that is too large. */
async function readBounded(path: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const { size } = await stat(path)
    if (size <= maxFileBytes) return await readFile(path, { encoding: 'utf8', signal })
    throw new SwarmError('BAD_CHECKPOINT', `${path}: expected at most ${maxFileBytes} bytes, found ${size}`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EISDIR') throw new SwarmError('BAD_CHECKPOINT', `${path}: expected a file, found a folder`)
    if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
    throw error
  }
}

/** A JSON object from a file, or undefined where there is no file. Throws BAD_CHECKPOINT where it is something else. */
export async function readJsonObject(path: string, signal?: AbortSignal): Promise<JsonObject | undefined> {
  const text = await readBounded(path, signal)
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = parseForeignJson(text)
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON: ${messageOf(cause)}`, { cause })
  }
  if (!isJsonObject(value)) throw new SwarmError('BAD_CHECKPOINT', `${path}: expected a JSON object`)
  return value
}
