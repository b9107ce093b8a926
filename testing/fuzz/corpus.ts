// Inputs that were found to do harm, and seeds too large for code: test/corpus/<target>/, a file each.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const corpusPath = join(import.meta.dirname, '../../test/corpus')

export interface CorpusInput {
  readonly file: string
  readonly bytes: Uint8Array
}

/** The inputs of a target, by file name. */
export function readCorpus(target: string): CorpusInput[] {
  const folder = join(corpusPath, target)
  let names: string[]
  try {
    names = readdirSync(folder).sort()
  } catch {
    return [] // nothing was found yet
  }
  return names.map(file => ({ file, bytes: new Uint8Array(readFileSync(join(folder, file))) }))
}

/** Keeps an input under its hash; gives the path. */
export function keepInput(target: string, bytes: Uint8Array, folder = corpusPath): string {
  const path = join(folder, target, createHash('sha256').update(bytes).digest('hex').slice(0, 16))
  mkdirSync(join(folder, target), { recursive: true })
  writeFileSync(path, bytes)
  return path
}
