// Checkpoints of a base model name their tensors without the prefix of the whole one (`h.0.` for `transformer.h.0.`), or
// with one more, or with another (`transformer.layers.0.` for `model.layers.0.`). Names only.
import type { TensorInfo } from './tensor-info.ts'

/** How stored names become expected ones: a prefix that is taken away, and one that is put before the rest. */
interface Renaming {
  readonly put: string
  readonly take: string
}

const base = (name: string): string => name.slice(0, name.indexOf('.') + 1)
const isOfBlock = (name: string): boolean => /\.\d+\./.test(name)
const rest = (name: string): string => name.slice(name.indexOf('.') + 1)

function renamings(missing: string, stored: Iterable<string>): Renaming[] {
  const found: Renaming[] = []
  for (const name of stored) {
    if (missing.endsWith(`.${name}`)) found.push({ put: missing.slice(0, -name.length), take: '' })
    if (name.endsWith(`.${missing}`)) found.push({ put: '', take: name.slice(0, -missing.length) })
    // of blocks only: heads of different tasks may have layers of one name
    if (isOfBlock(missing) && rest(name) === rest(missing)) found.push({ put: base(missing), take: base(name) })
  }
  return found
}

/** Prefixes that are tried: a checkpoint has one, and each costs a look at every name that is missing. */
const mostRenamings = 32

/**
 * The tensors under the names that are expected. Where expected names are missing, the prefix is found that explains the
 * first of them and applied to every name that is not expected as it stands; what it does not explain stays missing. `optional`: names
 * that the model may have too.
 */
export function alignNames(
  tensors: ReadonlyMap<string, TensorInfo>,
  expected: readonly string[],
  optional: (name: string) => boolean = () => false
): ReadonlyMap<string, TensorInfo> {
  const wanted = new Set(expected)
  const isWanted = (name: string): boolean => wanted.has(name) || optional(name)
  const missing = expected.filter(name => !tensors.has(name))
  const loose = [...tensors.keys()].filter(name => !isWanted(name))
  const explains = ({ put, take }: Renaming) =>
    missing.filter(name => name.startsWith(put) && tensors.has(take + name.slice(put.length))).length
  const tried = [...new Set([...missing.slice(0, 2), ...missing.filter(isOfBlock).slice(0, 1)])]
  const candidates = tried.flatMap(name => renamings(name, loose).slice(0, mostRenamings))
  const [best] = candidates
    .map(renaming => ({ ...renaming, count: explains(renaming) }))
    .sort((a, b) => b.count - a.count)
  if (best === undefined) return tensors
  const aligned = new Map(tensors)
  for (const stored of loose) {
    const name = stored.startsWith(best.take) ? best.put + stored.slice(best.take.length) : stored
    if (!isWanted(name) || aligned.has(name)) continue
    aligned.set(name, { ...tensors.get(stored)!, name })
    aligned.delete(stored)
  }
  return aligned
}

const oldNorm = /(^|\.)LayerNorm\.(gamma|beta)$/

/** The tensors with the scales and biases of norms under today's names: BERT's first files, written by TensorFlow, say gamma and beta. */
export function withNormNames(tensors: ReadonlyMap<string, TensorInfo>): ReadonlyMap<string, TensorInfo> {
  const renamed = new Map(tensors)
  for (const [stored, info] of tensors) {
    const part = oldNorm.exec(stored)?.[2]
    if (part === undefined) continue
    const name = `${stored.slice(0, -part.length)}${part === 'gamma' ? 'weight' : 'bias'}`
    if (tensors.has(name)) continue
    renamed.set(name, { ...info, name })
    renamed.delete(stored)
  }
  return renamed
}
