// The bytes of a data file as a text or as rows, with the line of whatever is wrong. Pure.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { isJsonObject } from '../../../model/json.ts'
import { parseJson } from '../../../model/text/exact-json.ts'
import type { Row } from './format.ts'

const newline = 0x0a

/** The first line that is not UTF-8, counted from 1. */
function brokenLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let start = 0
  for (let line = 1; ; line++) {
    const found = bytes.indexOf(newline, start)
    const end = found === -1 ? bytes.length : found
    try {
      decoder.decode(bytes.subarray(start, end))
    } catch {
      return line
    }
    if (found === -1) return line
    start = end + 1
  }
}

/** Strict UTF-8, a byte order mark left out. Throws INVALID_ARGUMENT with the line. */
export function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const line = brokenLine(bytes)
    throw new SwarmError('INVALID_ARGUMENT', `${file}:${line}: not UTF-8 (save the file in that encoding)`, { cause })
  }
}

function toRow(value: unknown, where: string): Row {
  if (isJsonObject(value)) return { fields: value, where }
  throw new SwarmError('INVALID_ARGUMENT', `${where}: expected a JSON object, found ${quoteForeign(value)}`)
}

function parseLine(line: string, where: string): Row {
  let value: unknown
  try {
    value = parseJson(line)
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    throw new SwarmError('INVALID_ARGUMENT', `${where}: not JSON (each line holds one object)${reason}`, { cause })
  }
  return toRow(value, where)
}

/** The rows of a JSONL text; empty lines are passed over. Throws INVALID_ARGUMENT with file and line. */
export function parseJsonLines(text: string, file: string): Row[] {
  const lines = text.split(/\r?\n/)
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [parseLine(line, `${file}:${index + 1}`)]))
}

/** The rows of one JSON list, as Alpaca is published. Throws INVALID_ARGUMENT. */
export function parseJsonList(text: string, file: string): Row[] {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SwarmError('INVALID_ARGUMENT', `${file}: not JSON: ${reason}`, { cause })
  }
  if (!Array.isArray(value)) {
    throw new SwarmError('INVALID_ARGUMENT', `${file}: expected a list of objects (or .jsonl, an object on each line)`)
  }
  return value.map((item, index) => toRow(item, `${file}[${index}]`))
}
