// The JSON Schema of a training run's configuration -> docs/train.schema.json, for editors:
//   node scripts/train-schema.ts
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { trainConfigSchema } from '../client/index.ts'

/** Text of docs/train.schema.json. */
export function trainSchemaText(): string {
  const schema = z.toJSONSchema(trainConfigSchema, { io: 'input' })
  return `${JSON.stringify({ title: 'swarmtune: configuration of a training run', ...schema }, null, 2)}\n`
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '../docs/train.schema.json'), trainSchemaText())
}
