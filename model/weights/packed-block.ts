// The file of a quantized block with the rearranged copies of its matrices that products compute with (docs/decisions/0017).
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withResource } from '../../common/resource.ts'
import { dtypes, type Tensor } from '../../common/tensor.ts'
import type { Graph } from '../../graph/graph.ts'
import { type PackedCopy, type PackedWeight, packedAlignment, type WeightPacker } from '../../graph/packed-weights.ts'
import { openLocalFile } from '../formats/byte-file.ts'
import type { SafetensorsEntry, SafetensorsHeader, TensorSpec } from '../formats/safetensors/encoding.ts'
import {
  diskFull,
  readSafetensorsHeader,
  type TensorSource,
  writeSafetensorsFrom
} from '../formats/safetensors/file.ts'

const suffix = '.packed'

/** Of each weight's copy, in the metadata of a file: the runtime's key, and its bytes without what is added behind them. */
type CopyKeys = Readonly<Record<string, readonly [key: string, length: number]>>

/** A tensor whose bytes are in another file, padded with zeros. */
function sourceIn(
  path: string,
  spec: TensorSpec,
  { offset, length }: { offset: number; length: number }
): TensorSource {
  const { dtype, shape } = spec
  const load = async (): Promise<Tensor> => {
    const bytes = new Uint8Array(dtypes[dtype].bytes * shape.reduce((size, dim) => size * dim, 1))
    await withResource(await openLocalFile(path), file => file.read(bytes.subarray(0, length), offset))
    return { dtype, shape, data: new dtypes[dtype].array(bytes.buffer) }
  }
  return { ...spec, load }
}

function copySource(path: string, copy: PackedWeight): TensorSource {
  const shape = [Math.ceil(copy.length / packedAlignment) * packedAlignment]
  return sourceIn(path, { name: copy.name + suffix, dtype: 'uint8', shape, alignment: packedAlignment }, copy)
}

/**
 * Writes a block's file with copies of the weights that products of the block's decode graph rearrange. All lies in a folder of
 * its own meanwhile, which takes up to three times as much, and is gone afterwards. Throws DISK_FULL.
 */
export async function writePackedBlock(
  path: string,
  parts: readonly TensorSource[],
  { packer, graph, source, signal }: { packer: WeightPacker; graph: Graph; source: string; signal?: AbortSignal }
): Promise<void> {
  const folder = `${path}.${process.pid}.${randomUUID()}.tmp`
  const location = 'parts.safetensors'
  try {
    await mkdir(folder)
    await writeSafetensorsFrom(join(folder, location), parts, {}, { signal })
    const { entries } = await readSafetensorsHeader(join(folder, location))
    const byName = new Map(entries.map(entry => [entry.name, entry]))
    const weights = (name: string) => ({ ...byName.get(name)!, location })
    const { file, copies } = await packer.pack(graph, { folder, weights, signal })
    const keys: CopyKeys = Object.fromEntries(copies.map(({ name, key, length }) => [name, [key, length]]))
    const sources = [
      ...parts.map(part => sourceIn(join(folder, location), part, byName.get(part.name)!)),
      ...copies.map(copy => copySource(join(folder, file), copy))
    ]
    await writeSafetensorsFrom(path, sources, { source, packed: JSON.stringify(keys) }, { signal })
  } catch (error) {
    throw diskFull(path, error) ?? error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The copies in a file by the names of their weights; null where it holds none, or not those that its metadata tell of. */
export function copiesIn({ entries, metadata }: SafetensorsHeader): ReadonlyMap<string, PackedCopy> | null {
  if (metadata.packed === undefined) return null
  const byName = new Map(entries.map(entry => [entry.name, entry]))
  const copies = new Map<string, PackedCopy>()
  for (const [name, [key, length]] of Object.entries(JSON.parse(metadata.packed) as CopyKeys)) {
    const entry = byName.get(name + suffix)
    if (entry === undefined || entry.length < length) return null
    copies.set(name, { key, offset: entry.offset, length })
  }
  return copies
}

/** Whether a tensor of a block's file is one of the block's, not a copy. */
export function isOwn({ name }: SafetensorsEntry): boolean {
  return !name.endsWith(suffix)
}
