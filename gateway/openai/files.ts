// OpenAI's files: uploaded, listed, read and deleted.
import { Readable } from 'node:stream'
import { createRoute, z } from '@hono/zod-openapi'
import { invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { bodyFault } from '../http/body-fault.ts'
import type { Received } from '../jobs/file-keeper.ts'
import { type FilePurpose, type FileRow, filePurposes } from '../storage/files.ts'
import { readForm } from './multipart.ts'

const fileObject = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.int(),
    created_at: z.int(),
    expires_at: z.int().optional(),
    filename: z.string(),
    purpose: z.enum(filePurposes),
    status: z.literal('processed')
  })
  .openapi('File')

export const toFile = ({ id, bytes, created, expires, filename, purpose }: FileRow): z.infer<typeof fileObject> => ({
  id,
  object: 'file',
  bytes,
  created_at: created,
  ...(expires !== null && { expires_at: expires }),
  filename,
  purpose,
  status: 'processed'
})

const params = z.object({ file_id: z.string() })
const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } }
})

/** Purposes of OpenAI's that nothing here reads. */
const elsewhere: ReadonlySet<string> = new Set(['assistants', 'batch', 'vision', 'evals'])

const uploaded = new Set(['fine-tune', 'user_data'])

const [leastSeconds, mostSeconds] = [3600, 2_592_000]

const uploadForm = z.strictObject({
  purpose: z.enum(['fine-tune', 'user_data']),
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': z.coerce.number().int().min(leastSeconds).max(mostSeconds).optional()
})

const uploadRoute = createRoute({
  method: 'post',
  path: '/v1/files',
  request: {
    body: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: uploadForm.extend({ file: z.any().openapi({ type: 'string', format: 'binary' }) })
        }
      }
    }
  },
  responses: { 200: json(fileObject, 'The file') }
})

/** What a page of a list is asked for with. */
export const pageQuery = z.strictObject({
  after: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(10_000)
})

const listRoute = createRoute({
  method: 'get',
  path: '/v1/files',
  request: {
    query: pageQuery.extend({ order: z.enum(['asc', 'desc']).default('desc'), purpose: z.string().optional() })
  },
  responses: {
    200: json(
      z.object({
        object: z.literal('list'),
        data: z.array(fileObject),
        first_id: z.string().nullable(),
        last_id: z.string().nullable(),
        has_more: z.boolean()
      }),
      'The files, a page at a time'
    )
  }
})

const getRoute = createRoute({
  method: 'get',
  path: '/v1/files/{file_id}',
  request: { params },
  responses: { 200: json(fileObject, 'The file without its bytes') }
})

const contentRoute = createRoute({
  method: 'get',
  path: '/v1/files/{file_id}/content',
  request: { params },
  responses: { 200: { description: 'The bytes', content: { 'application/octet-stream': { schema: z.any() } } } }
})

const deleteRoute = createRoute({
  method: 'delete',
  path: '/v1/files/{file_id}',
  request: { params },
  responses: {
    200: json(z.object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) }), 'It is gone')
  }
})

/** The value of Content-Disposition for a download of this name (RFC 6266). */
function attachment(filename: string): string {
  const plain = filename.replaceAll(/[^\w.-]/g, '_')
  const encoded = encodeURIComponent(filename).replaceAll(
    /['()*]/g,
    letter => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

/** Headers of bytes that are saved and never shown as a page. */
export const downloadHeaders = (filename: string, type = 'application/octet-stream'): Record<string, string> => ({
  'Content-Type': type,
  'Content-Disposition': attachment(filename),
  'X-Content-Type-Options': 'nosniff'
})

function checkPurpose(purpose: string | undefined): FilePurpose {
  if (purpose === undefined) throw invalid('purpose: is needed: fine-tune, for examples to learn', 'purpose')
  if (uploaded.has(purpose)) return purpose as FilePurpose
  const why = elsewhere.has(purpose) ? 'nothing here reads such files' : 'there is no such purpose'
  throw invalid(`purpose: expected fine-tune or user_data, found '${purpose}': ${why}`, 'purpose')
}

function expiryOf(form: z.infer<typeof uploadForm>): number | undefined {
  const { 'expires_after[anchor]': anchor, 'expires_after[seconds]': seconds } = form
  if ((anchor === undefined) === (seconds === undefined)) return seconds
  throw invalid('expires_after: expected both anchor and seconds, found one of them', 'expires_after')
}

export const fileRoutes: Routes = (api, { files }) => {
  // by hand: a validator would hold the whole form in memory
  api.openAPIRegistry.registerPath(uploadRoute)
  api.post('/v1/files', async c => {
    const { fields, file } = await readForm<Received>(c, {
      take: bytes => files.receive(bytes, c.req.raw.signal),
      undo: received => received.discard()
    })
    try {
      const purpose = checkPurpose(fields.purpose)
      const form = uploadForm.safeParse(fields)
      if (!form.success) throw bodyFault(form.error, fields)
      if (file === undefined) throw invalid('file: is needed: the field has the bytes and a filename', 'file')
      const expiresAfter = expiryOf(form.data)
      return c.json(toFile(await file.taken.keep({ filename: file.filename, purpose, expiresAfter })), 200)
    } catch (error) {
      await file?.taken.discard()
      throw error
    }
  })

  api.openapi(listRoute, c => {
    const { data, hasMore } = files.list(c.req.valid('query'))
    const ids = data.map(({ id }) => id)
    const ends = { first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null }
    return c.json({ object: 'list' as const, data: data.map(toFile), ...ends, has_more: hasMore }, 200)
  })

  api.openapi(getRoute, c => c.json(toFile(files.get(c.req.valid('param').file_id)), 200))

  api.openapi(contentRoute, c => {
    const row = files.get(c.req.valid('param').file_id)
    const stream = Readable.toWeb(files.content(row)) as ReadableStream<Uint8Array>
    return c.body(stream, 200, { ...downloadHeaders(row.filename), 'Content-Length': String(row.bytes) })
  })

  api.openapi(deleteRoute, async c => {
    const { file_id: id } = c.req.valid('param')
    await files.remove(id)
    return c.json({ id, object: 'file' as const, deleted: true as const }, 200)
  })
}
