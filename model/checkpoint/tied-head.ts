// The head of a model whose config.json says that it is the embedding (`tie_word_embeddings`): what its files say counts. Reference:
// tie_weights of modeling_utils.py of Hugging Face transformers 5.
import { withResource } from '../../common/resource.ts'
import { MiB } from '../../common/units.ts'
import type { ModelConfig } from '../config/config.ts'
import type { Family } from '../family.ts'
import { type ByteFile, openLocalFile } from '../formats/byte-file.ts'
import type { ReadLog, TensorInfo } from '../formats/tensor-info.ts'
import { decodeTensor } from './read-tensor.ts'

/** Compared at a time. */
const pieceBytes = 4 * MiB

/** Name of the head if it is a separate tensor. */
export function headNameOf(family: Family, config: ModelConfig): string {
  return family.clientTensorNames({ ...config, tiedEmbeddings: false }).head
}

const placeOf = ({ file, offset, length, dtype, shape, encoding }: TensorInfo): string =>
  JSON.stringify([file, offset, length, dtype, shape, encoding])

/**
 * The tensors of a model that says that its head is its embedding. A head that is the only one stored is the embedding too; one that
 * lies in the same place (as in PyTorch's files) is left out.
 */
export function tieByName(
  tensors: ReadonlyMap<string, TensorInfo>,
  { embedding, head }: { embedding: string; head: string }
): Map<string, TensorInfo> {
  const tied = new Map(tensors)
  // of a family whose head is the embedding whatever config.json says
  if (head === embedding) return tied
  const found = { head: tensors.get(head), embedding: tensors.get(embedding) }
  if (found.head === undefined) return tied
  if (found.embedding === undefined) tied.set(embedding, { ...found.head, name: embedding })
  else if (placeOf(found.head) !== placeOf(found.embedding)) return tied
  tied.delete(head)
  return tied
}

/**
 * The tensors with those of other names under their own name. An alias that is stored elsewhere than the tensor stays, to be compared.
 */
export function withoutAliases(
  tensors: ReadonlyMap<string, TensorInfo>,
  aliases: Readonly<Record<string, string>>
): Map<string, TensorInfo> {
  const named = new Map(tensors)
  for (const [alias, name] of Object.entries(aliases)) {
    const [again, own] = [named.get(alias), named.get(name)]
    if (again === undefined) continue
    if (own === undefined) named.set(name, { ...again, name })
    else if (placeOf(again) !== placeOf(own)) continue
    named.delete(alias)
  }
  return named
}

async function sameBytes(a: ByteFile, b: ByteFile, [one, other]: readonly TensorInfo[], reads: ReadLog) {
  const { length } = one!
  const pieces = [a, b].map(() => Buffer.alloc(Math.min(pieceBytes, length)))
  for (let done = 0; done < length; done += pieceBytes) {
    const [left, right] = pieces.map(piece => piece.subarray(0, Math.min(pieceBytes, length - done)))
    await a.read(left!, one!.offset + done)
    await b.read(right!, other!.offset + done)
    reads.bytesRead += 2 * left!.length
    if (!left!.equals(right!)) return false
  }
  return true
}

/** Whether two tensors, whose data is on this machine, hold the same numbers. Stops at the first piece that differs. */
export async function holdSameNumbers(
  a: TensorInfo,
  b: TensorInfo,
  reads: ReadLog,
  options: { signal?: AbortSignal } = {}
): Promise<boolean> {
  if (a.shape.join() !== b.shape.join()) return false
  const isPlain = [a, b].every(({ encoding, scale }) => encoding === undefined && scale === undefined)
  if (isPlain && a.dtype === b.dtype) {
    return await withResource(await openLocalFile(a.file), async first => {
      return await withResource(await openLocalFile(b.file), second => sameBytes(first, second, [a, b], reads))
    })
  }
  const [one, other] = [await decodeTensor(a, reads, options), await decodeTensor(b, reads, options)]
  return one.data.every((value, index) => value === other.data[index])
}
