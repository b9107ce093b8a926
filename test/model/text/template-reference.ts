// What scripts/reference/templates.py wrote: snippets of Jinja, real templates, and what transformers makes of them.
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { referencePath } from '../support.ts'

/** Text; or Python's exception; or `unstable` for what prints addresses. */
export type SnippetResult = string | { readonly error?: string; readonly message?: string; readonly unstable?: true }

/** Twelve digits of the text's SHA-256, and the ranges of `{% generation %}` in code points; or why there is none. */
export type ChatResult =
  | readonly [string, (readonly [number, number])[]?]
  | { readonly error: string }
  | { readonly raised: string }

export interface TemplateReference {
  /** variables of the snippets, as JSON */
  readonly context: string
  readonly snippets: readonly (readonly [string, SnippetResult])[]
  /** by name; JSON with messages and variables */
  readonly conversations: Readonly<Record<string, string>>
  readonly specialTokens: Readonly<Record<string, string>>
  readonly templates: Readonly<Record<string, string>>
  /** template, conversation, with a generation prompt */
  readonly cases: readonly (readonly [string, string, boolean, ChatResult])[]
}

export async function templateReference(): Promise<TemplateReference> {
  return JSON.parse(gunzipSync(await readFile(referencePath('templates.json.gz'))).toString('utf8'))
}

/** The time at which the reference was written, as far as templates know. */
export const referenceNow = (): Date => new Date(2026, 2, 7, 15, 4, 5)
