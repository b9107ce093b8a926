// What tells a merged model from the one under its adapter: a field of its configuration, which is part of its identity.
import { files } from '#files'
import { type Checkpoint, mergedField } from '../../model/checkpoint/checkpoint.ts'
import { setField } from '../../model/config/config-text.ts'
import { isJsonObject } from '../../model/json.ts'
import { adapterConfigPath, adapterTensorsPath } from '../tuning/adapter-file.ts'

/** Hex digits: a check against mistakes. */
const digits = 16

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(hash), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Marks the text of config.json as that of `checkpoint` with the adapter in a folder, by a hash over both its files. */
export async function markMerged(
  { config: { raw } }: Pick<Checkpoint, 'config'>,
  adapter: string,
  options: { signal?: AbortSignal } = {}
): Promise<(text: string) => string> {
  const before = isJsonObject(raw) ? raw[mergedField] : undefined
  const parts = [adapterConfigPath(adapter), adapterTensorsPath(adapter)]
  const hashes = await Promise.all(parts.map(async path => await sha256(await files.read(path, options))))
  const all = await sha256(new TextEncoder().encode([before ?? '', ...hashes].join('\n')))
  return text => setField(text, mergedField, all.slice(0, digits))
}
