// The table of model families. A new one is a folder and a row here.

import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import type { RawConfig } from '../config/config.ts'
import type { Family } from '../family.ts'
import { bart, mBart } from './bart/index.ts'
import { bert } from './bert/index.ts'
import { bloom } from './bloom/index.ts'
import { debertaV2 } from './deberta-v2/index.ts'
import { distilBert } from './distilbert/index.ts'
import { electra } from './electra/index.ts'
import { falcon } from './falcon/index.ts'
import { gemma } from './gemma/index.ts'
import { gptNeoX } from './gpt-neox/index.ts'
import { gpt2 } from './gpt2/index.ts'
import { llama } from './llama/index.ts'
import { mixtral } from './mixtral/index.ts'
import { modernBert } from './modernbert/index.ts'
import { mpnet } from './mpnet/index.ts'
import { opt } from './opt/index.ts'
import { roberta } from './roberta/index.ts'
import { t5, umt5 } from './t5/index.ts'

const families: readonly Family[] = [
  llama,
  gpt2,
  bloom,
  opt,
  gptNeoX,
  falcon,
  gemma,
  mixtral,
  t5,
  umt5,
  bart,
  mBart,
  bert,
  roberta,
  electra,
  distilBert,
  mpnet,
  modernBert,
  debertaV2
]

/** Values of `model_type` that this build runs. */
export function supportedModelTypes(): string[] {
  return families.flatMap(family => family.modelTypes)
}

/** The family of a config.json. Throws UNSUPPORTED naming the architecture and the supported ones. */
export function familyOf(raw: RawConfig): Family {
  const type = raw.model_type
  const found = families.find(family => typeof type === 'string' && family.modelTypes.includes(type))
  if (found) return found
  const architectures = Array.isArray(raw.architectures)
    ? ` (${quoteForeign(raw.architectures.map(String).join(', ')).slice(1, -1)})`
    : ''
  throw new SwarmError(
    'UNSUPPORTED',
    `config.json: model_type ${quoteForeign(type)}${architectures} is not supported (supported: ${supportedModelTypes().join(', ')})`
  )
}
