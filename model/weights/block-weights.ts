// Weights of a range of blocks, float32 or quantized, in files that a session can map: the checkpoint's own, or
// converted copies. Knows files; the runtime uses them.
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { type OnProgress, runStage } from '../../common/progress.ts'
import type { BlockRange } from '../../common/range.ts'
import { KiB } from '../../common/units.ts'
import type { WeightLocation, WeightPacker } from '../../graph/packed-weights.ts'
import { type Checkpoint, readSample } from '../checkpoint/checkpoint.ts'
import { stackOf } from '../config/config.ts'
import type { SafetensorsHeader, TensorSpec } from '../formats/safetensors/encoding.ts'
import { readSafetensorsHeader, writeSafetensorsFrom } from '../formats/safetensors/file.ts'
import type { Precision } from '../quantize/precision.ts'
import { blockParts } from './block-parts.ts'
import { cleanCache, convertedName, touch } from './converted-files.ts'
import { copiesIn, isOwn, writePackedBlock } from './packed-block.ts'

/** Bytes of each tensor that are hashed to tell whether a converted file belongs to this checkpoint. */
const sampleBytes = 4 * KiB

export interface BlockWeights {
  /** what locations are relative to */
  readonly folder: string
  /** bytes of weights as they are held, without copies */
  readonly bytes: number
  /** whether their files hold copies of the matrices as products rearrange them */
  readonly packed: boolean
  /** Throws INTERNAL for a tensor outside the range. */
  locate(name: string): WeightLocation
}

function blocksOf(range: BlockRange): number[] {
  return Array.from({ length: range.end - range.first }, (_, index) => range.first + index)
}

function withLocations(folder: string, locations: ReadonlyMap<string, WeightLocation>): BlockWeights {
  return {
    folder,
    bytes: [...locations.values()].reduce((sum, { length }) => sum + length, 0),
    packed: [...locations.values()].some(({ packed }) => packed !== undefined),
    locate(name) {
      const location = locations.get(name)
      if (location === undefined) throw new SwarmError('INTERNAL', `no weight '${name}' in this range of blocks`)
      return location
    }
  }
}

/** The checkpoint's own files where they hold float32 and lie (behind any links) in one folder, else null. */
async function inPlace(checkpoint: Checkpoint, names: readonly string[]): Promise<BlockWeights | null> {
  const infos = names.map(name => checkpoint.tensors.get(name)!)
  if (infos.some(info => info.dtype !== 'float32' || info.encoding !== undefined || info.offset % 4 !== 0)) return null
  const files = new Map<string, string>()
  for (const { file } of infos) if (!files.has(file)) files.set(file, await realpath(file))
  const folders = new Set([...files.values()].map(dirname))
  if (folders.size > 1) return null
  const locations = new Map<string, WeightLocation>()
  for (const { name, file, offset, length } of infos) {
    locations.set(name, { location: basename(files.get(file)!), offset, length })
    checkpoint.reads.tensorsMapped.add(name)
  }
  return withLocations([...folders][0] ?? checkpoint.path, locations)
}

/** Tells converted blocks of two checkpoints apart that share an identity (a merged adapter leaves the norm alone). */
async function fingerprint(checkpoint: Checkpoint, names: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const name of names) hash.update(await readSample(checkpoint, name, sampleBytes))
  return hash.digest('hex')
}

/** The header of a converted file if it is whole and of this checkpoint, else null. */
async function reusable(path: string, parts: readonly TensorSpec[], source: string): Promise<SafetensorsHeader | null> {
  try {
    const header = await readSafetensorsHeader(path)
    const byName = new Map(header.entries.map(entry => [entry.name, entry]))
    const whole = parts.every(({ name, dtype, shape }) => {
      const entry = byName.get(name)
      return entry?.dtype === dtype && entry.shape.join() === shape.join()
    })
    return whole && header.metadata.source === source ? header : null
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'BAD_CHECKPOINT') return null
    throw error
  }
}

/** What names the maker of copies in a file's name. */
function makerOf({ maker }: WeightPacker): string {
  return createHash('sha256').update(maker).digest('hex').slice(0, 8)
}

type ConvertOptions = Pick<BlockWeightsOptions, 'packer' | 'signal'> & {
  readonly precision: Precision
  /** called with the number of newly processed stored bytes */
  readonly onBytes: (count: number) => void
}

const bytesOf = ({ tensors }: Checkpoint, names: readonly string[]): number =>
  names.reduce((sum, name) => sum + tensors.get(name)!.length, 0)

/** The path and header of a block's converted file, which is created if missing. */
async function converted(
  checkpoint: Checkpoint,
  block: number,
  folder: string,
  { precision, signal, onBytes, ...options }: ConvertOptions
): Promise<{ file: string; header: SafetensorsHeader }> {
  const { config, family } = checkpoint
  // the products of decode steps are those that take copies: an encoder has none
  const packer = stackOf(config, block).name === 'encoder' ? undefined : options.packer
  const names = family.blockTensorNames(config, block).sort()
  const source = await fingerprint(checkpoint, names)
  const file = convertedName(block, source, precision, packer && makerOf(packer))
  const path = join(folder, file)
  const parts = blockParts(checkpoint, block, precision, { signal, onBytes })
  const found = await reusable(path, parts, source)
  if (found !== null && (packer === undefined || copiesIn(found) !== null)) {
    await touch(path)
    onBytes(bytesOf(checkpoint, names))
    return { file, header: found }
  }
  if (packer === undefined) await writeSafetensorsFrom(path, parts, { source }, { signal })
  else {
    const graph = family.decodeSpan(config, { blocks: { first: block, end: block + 1 }, ports: [], precision })
    await writePackedBlock(path, parts, { packer, graph, source, signal })
  }
  return { file, header: await readSafetensorsHeader(path) }
}

export interface BlockWeightsOptions {
  /** for converted files, needed unless the checkpoint's own serve */
  readonly cacheDir?: string
  /** default float32 */
  readonly precision?: Precision
  /** makes copies of quantized matrices, rearranged for products, which a session then maps too */
  readonly packer?: WeightPacker
  /** hears of the stage `convert` or `quantize`, in stored bytes, where weights are not used as they are stored */
  readonly onProgress?: OnProgress
  /** called with the paths of outdated conversions that were removed from the cache */
  readonly onRemoved?: (paths: readonly string[]) => void
  readonly signal?: AbortSignal
}

/**
 * Where a session finds the weights of `range` in a precision: in the checkpoint's files where float32 is wanted and these hold
 * it, else in `<cacheDir>/<identity>/block-NNN.<sample>.<precision>[-<version>][.<packer>].safetensors`, converted once and checked
 * on reuse.
 * Throws INVALID_ARGUMENT for a range outside the model or a needed cacheDir that is not given.
 */
export async function blockWeights(
  checkpoint: Checkpoint,
  range: BlockRange,
  options: BlockWeightsOptions = {}
): Promise<BlockWeights> {
  const { config, family } = checkpoint
  const { precision = 'float32', signal, onProgress } = options
  const packer = precision === 'float32' ? undefined : options.packer
  if (range.first < 0 || range.first >= range.end || range.end > config.numBlocks) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `blocks ${range.first}-${range.end}: expected a range within 0-${config.numBlocks}`
    )
  }
  const names = [...new Set(blocksOf(range).flatMap(block => family.blockTensorNames(config, block)))]
  await checkpoint.provide(names, { signal })
  const own = precision === 'float32' ? await inPlace(checkpoint, names) : null
  if (own !== null) return own
  if (options.cacheDir === undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${checkpoint.path}: weights must be converted to ${precision}: pass cacheDir`
    )
  }
  const folder = join(options.cacheDir, checkpoint.identity)
  await makeFolder(folder)
  const removed = await cleanCache(options.cacheDir, packer && makerOf(packer))
  if (removed.length > 0) options.onRemoved?.(removed)
  const locations = new Map<string, WeightLocation>()
  const stage = precision === 'float32' ? 'convert' : 'quantize'
  const about = { stage, name: checkpoint.name, unit: 'bytes', total: bytesOf(checkpoint, names) } as const
  await runStage(onProgress, about, async ({ add: onBytes }) => {
    for (const block of blocksOf(range)) {
      signal?.throwIfAborted()
      const { file, header } = await converted(checkpoint, block, folder, { precision, packer, signal, onBytes })
      const copies = copiesIn(header)
      for (const { name, offset, length } of header.entries.filter(isOwn)) {
        locations.set(name, { location: file, offset, length, packed: copies?.get(name) })
      }
    }
  })
  return withLocations(await realpath(folder), locations)
}
