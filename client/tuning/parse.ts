// Checks outside data against a schema and says in our words what is wrong with it.
import type { z } from 'zod'
import { type ErrorCode, SwarmError } from '../../common/errors.ts'

/** The data as the schema gives it. Throws `code` with every fault: `LORA configuration: r: expected …`. */
export function parse<T>(schema: z.ZodType<T>, data: unknown, what: string, code: ErrorCode): T {
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`
  )
  throw new SwarmError(code, `${what}: ${faults.join('; ')}`, { cause: result.error })
}
