// The table of models.
import { createBpe } from './bpe.ts'
import type { TokenModel } from './model.ts'
import type { Settings } from './settings.ts'
import { createUnigram } from './unigram.ts'
import { createWordLevel, createWordPiece } from './word-piece.ts'

const kinds: Readonly<Record<string, (settings: Settings) => TokenModel>> = {
  BPE: createBpe,
  Unigram: createUnigram,
  WordLevel: createWordLevel,
  WordPiece: createWordPiece
}

/** Files of older versions do not name the kind. */
function kindOf({ fields }: Settings): string {
  if (Array.isArray(fields.vocab)) return 'Unigram'
  if (fields.merges !== undefined) return 'BPE'
  return fields.continuing_subword_prefix === undefined ? 'WordLevel' : 'WordPiece'
}

/** Throws UNSUPPORTED for a kind that is not known, BAD_CHECKPOINT for fields that are wrong. */
export function createModel(settings: Settings): TokenModel {
  const type = settings.fields.type === undefined ? kindOf(settings) : settings.type
  if (!Object.hasOwn(kinds, type)) throw settings.unsupported(Object.keys(kinds))
  return kinds[type]!(settings)
}
