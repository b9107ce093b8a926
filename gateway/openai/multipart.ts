// A form with one file, read as it arrives: its bytes go to a callback, never into memory as a whole. Knows no route.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyEvents, type BusboyInstance } from '@fastify/busboy'
import type { Context } from 'hono'
import { messageOf } from '../../common/errors.ts'
import { KiB } from '../../common/units.ts'
import { ApiError, invalid } from '../errors.ts'

const maxFields = 16
const maxFieldBytes = 4 * KiB

export interface Form<Taken> {
  readonly fields: Readonly<Record<string, string>>
  /** what `take` made of the file; undefined where the form has none */
  readonly file: { readonly filename: string; readonly taken: Taken } | undefined
}

export interface FormReader<Taken> {
  /** Consumes the bytes of the file. */
  take(bytes: AsyncIterable<Uint8Array>): Promise<Taken>
  /** Undoes it: the form turned out to be broken. */
  undo(taken: Taken): Promise<void>
}

/** Throws ApiError 415 for another kind of body, 400 for a form that is broken or ends too early, and what `take` throws. */
export async function readForm<Taken>(c: Context, { take, undo }: FormReader<Taken>): Promise<Form<Taken>> {
  const type = c.req.header('content-type') ?? ''
  const { body } = c.req.raw
  if (!/^multipart\/form-data\s*;/i.test(type) || body === null) {
    const found = type === '' ? 'no content type' : type
    throw new ApiError(`expected a form (multipart/form-data) with the fields file and purpose, found ${found}`, {
      status: 415
    })
  }
  const fields: Record<string, string> = Object.create(null)
  const files: { filename: string; taken: Promise<Taken> }[] = []
  const faults: unknown[] = []
  const limits = { files: 1, fields: maxFields, fieldSize: maxFieldBytes }
  const fault = (error: unknown): void => {
    faults.push(error)
    parser.destroy()
  }
  const parser = newParser(type, limits)
  const onField: BusboyEvents['field'] = (name, value, _, isCut) => {
    if (isCut) return fault(invalid(`${name}: longer than ${maxFieldBytes} bytes`, name))
    if (name in fields) return fault(invalid(`${name}: given twice`, name))
    fields[name] = value
  }
  const onFile: BusboyEvents['file'] = (name, bytes, filename) => {
    // the reader of the bytes gets the error; without a listener it would end the process before they are read
    bytes.on('error', () => {})
    if (name !== 'file') {
      bytes.resume()
      return fault(invalid(`unsupported field ${name}: the file's field is called file`, name))
    }
    // the parser tells its own end and failure on this stream, but not that it was destroyed
    parser.once('close', () => bytes.destroy(parser.writableFinished ? undefined : invalid('the form ended too early')))
    const taken = take(whole(bytes))
    taken.catch(fault)
    files.push({ filename, taken })
  }
  parser.on('error', () => {})
  parser.on('field', onField)
  parser.on('file', onFile)
  parser.on('filesLimit', () => fault(invalid('expected one file, found several', 'file')))
  parser.on('fieldsLimit', () => fault(invalid(`expected at most ${maxFields} fields`)))
  try {
    await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), parser)
  } catch (cause) {
    faults.push(broken(cause))
  }
  const [file] = files
  const settled = await file?.taken.then(
    taken => ({ taken }),
    () => undefined // among the faults
  )
  if (faults.length === 0) return { fields, file: file && settled && { filename: file.filename, taken: settled.taken } }
  if (settled !== undefined) await undo(settled.taken)
  // what the client still sends is not read: it must not send another request after it
  c.header('Connection', 'close')
  // what was wrong first broke the form as well
  throw faults.find(found => !(found instanceof ApiError) || found.status !== 400) ?? faults[0]
}

/** What a body that is no whole form means for its sender. */
function broken(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : invalid(`the form ended too early or is broken: ${messageOf(cause)}`)
}

/** The bytes of a file; throws ApiError 400 where the form ends before them. */
async function* whole(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (cause) {
    throw broken(cause)
  }
}

function newParser(type: string, limits: object): BusboyInstance {
  try {
    return new Busboy({ headers: { 'content-type': type }, limits })
  } catch (cause) {
    throw invalid(`the form cannot be read: ${messageOf(cause)}`)
  }
}
