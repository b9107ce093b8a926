// docs/api-openai.md against the schemas, and the schemas against the fields of OpenAI's own package.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gatewayOver } from '../../testing/gateway.ts'

interface Schema {
  readonly properties: Readonly<Record<string, Partial<Schema>>>
  readonly description: string
  readonly additionalProperties: unknown
}

const root = join(import.meta.dirname, '..', '..')
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8')

/** Endpoint, name of its schema, and where OpenAI's package lists its fields. */
const endpoints = [
  [
    'POST /v1/chat/completions',
    'ChatCompletionRequest',
    'chat/completions/completions',
    'ChatCompletionCreateParamsBase'
  ],
  ['POST /v1/completions', 'CompletionRequest', 'completions', 'CompletionCreateParamsBase'],
  ['POST /v1/responses', 'ResponseRequest', 'responses/responses', 'ResponseCreateParamsBase'],
  ['POST /v1/embeddings', 'EmbeddingRequest', 'embeddings', 'EmbeddingCreateParams']
] as const

async function loadSchemas(): Promise<Readonly<Record<string, Schema>>> {
  const answer = await gatewayOver([]).api.request('/openapi.json')
  const { components } = (await answer.json()) as { components: { schemas: Record<string, Schema> } }
  return components.schemas
}

/** `Refused, except "auto" or "default": there is one tier` as a row of the table. */
function toRow(field: string, description: string): string {
  const [, status = 'Supported', text] = /^(?:(Refused(?:, except .*?)?|No effect): )?(.*)$/s.exec(description)!
  const shown = status.replace(/except (.*)/, 'except `$1`').replaceAll(' or ', '` or `')
  return `| \`${field}\` | ${shown} | ${text} |`
}

/** Fields of nested objects stand below them. */
function rowsOf({ properties = {} }: Partial<Schema>, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    assert.ok(schema.description, `${prefix}${name}: expected a description`)
    const nested = schema.additionalProperties === false ? rowsOf(schema, `${prefix}${name}.`) : []
    return [toRow(`${prefix}${name}`, schema.description), ...nested]
  })
}

describe('docs/api-openai.md', () => {
  const markdown = read('docs', 'api-openai.md')

  for (const [title, name, file, declaration] of endpoints) {
    it(`tells of every field of ${title}`, async () => {
      const section = markdown.split(/^## /m).find(text => text.startsWith(`${title}\n`)) ?? ''
      const rows = section.split('\n').filter(line => line.startsWith('| `'))
      assert.deepEqual(rows, rowsOf((await loadSchemas())[name]!))
    })

    it(`and ${title} knows every field of OpenAI's package`, async () => {
      const text = read('node_modules', 'openai', 'resources', `${file}.d.ts`)
      const [, body] = new RegExp(`export interface ${declaration} \\{\\n(.*?)\\n\\}`, 's').exec(text)!
      const fields = [...body!.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field!)
      assert.ok(fields.includes('model') && fields.length >= 5)
      const known = Object.keys((await loadSchemas())[name]!.properties)
      assert.deepEqual(
        fields.filter(field => !known.includes(field)),
        []
      )
    })
  }
})
