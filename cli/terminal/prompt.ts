// Reads a prompt from an argument or standard input.
import { addAbortSignal } from 'node:stream'
import { formatBytes, MiB } from '../../common/units.ts'
import { UsageError } from '../errors/usage.ts'

/** no model takes a longer prompt; a stream that never ends must not fill memory */
export const maxPromptBytes = 64 * MiB

interface Input extends AsyncIterable<string | Uint8Array> {
  readonly isTTY?: boolean
}

/**
 * The argument; without one, or for `-`, all that the input holds without its last line end. Throws UsageError where there is
 * no prompt or the input is no text.
 */
export async function readPrompt(
  argument: string | undefined,
  { input = process.stdin, signal }: { input?: Input; signal?: AbortSignal } = {}
): Promise<string> {
  if (argument !== undefined && argument !== '-') return argument
  if (argument === undefined && input.isTTY) {
    throw new UsageError('no prompt: give it after the model, or pipe it: echo "Call me" | swarm generate <model>')
  }
  if (signal !== undefined && input === process.stdin) addAbortSignal(signal, process.stdin)
  const text = decode(await readAll(input, signal)).replace(/\r?\n$/, '')
  if (text === '')
    throw new UsageError('the prompt on standard input is empty: pipe a text, or give it after the model')
  return text
}

async function readAll(input: Input, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of input) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part
      parts.push(bytes)
      size += bytes.byteLength
      if (size > maxPromptBytes) {
        throw new UsageError(`the prompt on standard input is longer than ${formatBytes(maxPromptBytes)}`)
      }
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    throw error
  }
  return Buffer.concat(parts)
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new UsageError('the prompt on standard input is not UTF-8 text', { cause })
  }
}
