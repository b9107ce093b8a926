// Which blocks of a model see all tokens and which a window, as config.json says it.

import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import type { RawConfig } from './config.ts'

export interface LayerTypes {
  /** tokens that a token of a sliding block sees, itself and those before it */
  readonly window: number
  readonly isSliding: (block: number) => boolean
}

/**
 * Of each block how many tokens a token sees, null for all: by `layer_types` where config.json has them, else by the
 * family's rule. A window that no sequence outgrows is none. Throws BAD_CHECKPOINT for a list of another length or words.
 */
export function readWindows(
  raw: RawConfig,
  numBlocks: number,
  maxPositions: number,
  types: LayerTypes | null
): readonly (number | null)[] {
  const listed = raw.layer_types ?? undefined
  if (listed !== undefined) {
    const known =
      Array.isArray(listed) && listed.every(type => type === 'sliding_attention' || type === 'full_attention')
    if (!known || listed.length !== numBlocks) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `config.json: layer_types: expected ${numBlocks} of sliding_attention and full_attention, found ${quoteForeign(listed)}`
      )
    }
  }
  return Array.from({ length: numBlocks }, (_, block) => {
    if (types === null || types.window >= maxPositions) return null
    const isSliding =
      listed === undefined ? types.isSliding(block) : (listed as string[])[block] === 'sliding_attention'
    return isSliding ? types.window : null
  })
}
