// The table of model families. A new one is a folder and a row here.
import { SwarmError } from '../common/errors.ts'
import type { RawConfig } from './config.ts'
import type { Family } from './family.ts'
import { llama } from './llama/index.ts'

const families: readonly Family[] = [llama]

/** Values of `model_type` that this build runs. */
export function supportedModelTypes(): string[] {
  return families.flatMap(family => family.modelTypes)
}

/** The family of a config.json. Throws UNSUPPORTED naming the architecture and the supported ones. */
export function familyOf(raw: RawConfig): Family {
  const type = raw.model_type
  const found = families.find(family => typeof type === 'string' && family.modelTypes.includes(type))
  if (found) return found
  const architectures = Array.isArray(raw.architectures) ? ` (${raw.architectures.join(', ')})` : ''
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: model_type ${JSON.stringify(type)}${architectures} is not supported (supported: ${supportedModelTypes().join(', ')})`
  )
}
