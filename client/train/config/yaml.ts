// A run's configuration as YAML: read with the places of its keys, and written beside the run.
import { isMap, LineCounter, parseDocument, stringify } from 'yaml'
import { SwarmError } from '../../../common/errors.ts'
import type { Locate } from './parse.ts'
import type { TrainConfig } from './schema.ts'

export interface ConfigSource {
  readonly values: Readonly<Record<string, unknown>>
  readonly locate: Locate
}

/** Throws INVALID_ARGUMENT with file and line for what is not YAML or not a mapping. */
export function readConfigYaml(text: string, file: string): ConfigSource {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const [fault] = document.errors
  if (fault !== undefined) {
    const { line } = lineCounter.linePos(fault.pos[0])
    throw new SwarmError('INVALID_ARGUMENT', `${file}:${line}: not YAML: ${fault.message}`)
  }
  const values: unknown = document.toJS() ?? {}
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
