// A run's configuration as YAML: read with the places of its keys, and written beside the run.
import { type Document, isMap, isScalar, LineCounter, parseDocument, stringify, visit } from 'yaml'
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { KiB } from '../../../common/units.ts'
import type { Locate } from './parse.ts'
import type { TrainConfig } from './schema.ts'

export interface ConfigSource {
  readonly values: Readonly<Record<string, unknown>>
  readonly locate: Locate
}

/** More than any configuration has; the parser takes some seconds for it. */
const maxCharacters = 256 * KiB

/** The first key that a mapping has twice. The parser's own check compares each key with all others. */
function repeatedKey(document: Document): { pos: [number, number]; message: string } | undefined {
  let found: { pos: [number, number]; message: string } | undefined
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (keys.has(key.value) && key.range) {
          found = { pos: [key.range[0], key.range[1]], message: 'Map keys must be unique' }
          return visit.BREAK
        }
        keys.add(key.value)
      }
      return undefined
    }
  })
  return found
}

/** The values of a document. Throws INVALID_ARGUMENT for one that nests too deep to be walked, or whose aliases repeat too much. */
function valuesOf(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `${file}: cannot be read (${messageOf(cause)})`, { cause })
  }
}

/**
 * Throws INVALID_ARGUMENT with file and line for what is not YAML or not a mapping, and for a text that is larger than any
 * configuration.
 */
export function readConfigYaml(text: string, file: string): ConfigSource {
  if (text.length > maxCharacters) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${file}: expected a configuration of at most ${maxCharacters} characters, found ${text.length}`
    )
  }
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false })
  const fault = document.errors[0] ?? repeatedKey(document)
  if (fault !== undefined) {
    const { line } = lineCounter.linePos(fault.pos[0])
    throw new SwarmError('INVALID_ARGUMENT', `${file}:${line}: not YAML: ${fault.message}`)
  }
  const values = valuesOf(document, file)
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new SwarmError('INVALID_ARGUMENT', `${file}: expected keys and values, found ${typeof values}`)
  }
  return {
    values: values as Record<string, unknown>,
    locate(path) {
      let node: unknown = document.contents
      let at: number | undefined
      for (const name of path) {
        if (!isMap(node)) break
        const pair = node.items.find(({ key }) => String(key) === String(name))
        if (pair === undefined) break
        at = (pair.key as { range?: [number, number, number] }).range?.[0] ?? at
        node = pair.value
      }
      return at === undefined ? undefined : `${file}:${lineCounter.linePos(at).line}`
    }
  }
}

/** The configuration as it is frozen beside a run. */
export function writeConfigYaml(config: TrainConfig): string {
  return `# The run in this folder, with every default filled in: swarm train --config config.yaml\n${stringify(config)}`
}
