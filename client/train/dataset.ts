// Examples on disk: one JSON object per line with a prompt and its completion. Knows no tokenizer.
import { files } from '#files'
import { SwarmError } from '../../common/errors.ts'

export interface PromptCompletion {
  readonly prompt: string
  /** what the model is to learn to say after the prompt; it begins with a space where text goes on */
  readonly completion: string
  /** where the example comes from, for messages: `capitals.jsonl:3` */
  readonly source?: string
}

function parseLine(line: string, source: string): PromptCompletion {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `${source}: not JSON (each line holds one object)`, { cause })
  }
  const { prompt, completion } = (value ?? {}) as { prompt?: unknown; completion?: unknown }
  for (const [field, text] of Object.entries({ prompt, completion })) {
    if (typeof text !== 'string') {
      const found = text === undefined ? 'nothing' : JSON.stringify(text)
      throw new SwarmError('INVALID_ARGUMENT', `${source}: expected "${field}" to be a text, found ${found}`)
    }
  }
  return { prompt: prompt as string, completion: completion as string, source }
}

/**
 * The examples of a JSONL text; empty lines are passed over. `file` is a name for messages.
 * Throws INVALID_ARGUMENT with file and line for what is not an example, and for a text without any.
 */
export function parseDataset(text: string, file: string): PromptCompletion[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const examples = lines.flatMap((line, index) => (line.trim() === '' ? [] : [parseLine(line, `${file}:${index + 1}`)]))
  if (examples.length === 0)
    throw new SwarmError('INVALID_ARGUMENT', `${file}: expected at least one example, found none`)
  return examples
}

/** The examples of a JSONL file. Throws NOT_FOUND, and INVALID_ARGUMENT as `parseDataset`. */
export async function loadDataset(path: string, options: { signal?: AbortSignal } = {}): Promise<PromptCompletion[]> {
  return parseDataset(new TextDecoder().decode(await files.read(path, options)), path)
}
