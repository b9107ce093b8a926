// JSON files of a model directory. Knows no fields.
import { readFile } from 'node:fs/promises'
import { messageOf, SwarmError, toSwarmError } from '../common/errors.ts'
import { foreignFileBytes } from '../common/files/foreign-file.ts'
import { maxJsonBytes, parseForeignJson } from '../common/foreign-json.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text of a file, or undefined where there is none. Throws BAD_CHECKPOINT for one that is too large, and for what is no file. */
export async function readTextIfAny(path: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    await foreignFileBytes(path, maxJsonBytes)
    return await readFile(path, { encoding: 'utf8', signal })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
    throw error
  }
}

/** A JSON object from a file, or undefined where there is no file. Throws BAD_CHECKPOINT where it is something else. */
export async function readJsonObject(path: string, signal?: AbortSignal): Promise<JsonObject | undefined> {
  const text = await readTextIfAny(path, signal)
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
