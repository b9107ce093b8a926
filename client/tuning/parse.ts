// Validates external data against a schema and reports faults in our own words.
import { z } from 'zod'
import { type ErrorCode, SwarmError } from '../../common/errors.ts'
import { suggestion } from '../../common/names.ts'

/** The data as the schema gives it. Throws `code` with every fault: `LORA configuration: r: expected …`. */
export function parseBySchema<T>(schema: z.ZodType<T>, data: unknown, what: string, code: ErrorCode): T {
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
  const faults = result.error.issues.map(issue => {
    const { path, message } = issue
    if (issue.code === 'unrecognized_keys' && path.length === 0 && known.length > 0) {
      const named = issue.keys.map(key => `"${key}"${suggestion(key, known)}`)
      return `unknown option ${named.join(', ')}`
    }
    return path.length === 0 ? message : `${path.join('.')}: ${message}`
  })
  throw new SwarmError(code, `${what}: ${faults.join('; ')}`, { cause: result.error })
}
