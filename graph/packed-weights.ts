// Weights as a runtime rearranges them for its products, kept in files to be mapped: what the runtime that makes them and those who
// keep them say to each other (docs/decisions/0017). Knows how ONNX Runtime names them in a model, and reads no file.
import { onnx } from '../proto/gen/onnx.js'
import type { Graph } from './graph.ts'

/** A rearranged copy of a weight, in the same file as the weight. */
export interface PackedCopy {
  /** by which the runtime knows it: the operator and a hash of the copy. It takes none that it would not have made. */
  readonly key: string
  /** bytes from the start of the file, a multiple of `packedAlignment` */
  readonly offset: number
  /** bytes */
  readonly length: number
}

/** Where a weight's bytes lie: dense, row-major, little-endian. */
export interface WeightLocation {
  /** file, relative to the folder that the session is given */
  readonly location: string
  /** bytes from the start of the file */
  readonly offset: number
  /** bytes */
  readonly length: number
  readonly packed?: PackedCopy
}

/** A copy where the runtime has left it. */
export interface PackedWeight extends PackedCopy {
  /** of the weight in the graph */
  readonly name: string
}

/** The runtime as the maker of copies. */
export interface WeightPacker {
  /** what the copies are good for: a version of the runtime on a kind of processor */
  readonly maker: string
  /**
   * Copies of those weights that products of the graph rearrange, which are read from files in `folder`. Resolves with the file in
   * `folder` that holds the copies, anywhere in it, and their places. Throws DISK_FULL.
   */
  pack(
    graph: Graph,
    init: { folder: string; weights: (name: string) => WeightLocation; signal?: AbortSignal }
  ): Promise<{ file: string; copies: readonly PackedWeight[] }>
}

/** Copies hold padding up to cache lines, which counts from where they lie in memory. */
export const packedAlignment = 64

const keyOfPacked = 'prepacked_0'

/** The entry of a weight's external data that points to its copy. */
export function packedEntry({ key, offset, length }: PackedCopy): onnx.IStringStringEntryProto {
  return { key: keyOfPacked, value: `${key}|${offset};${length};0` }
}

/** The copies that a model points to. Those in several pieces are left out: the runtime makes them again. */
export function packedWeightsOf(model: Uint8Array): PackedWeight[] {
  const { graph } = onnx.ModelProto.decode(model)
  return (graph?.initializer ?? []).flatMap(({ name, externalData }): PackedWeight[] => {
    const value = externalData?.find(entry => entry.key === keyOfPacked)?.value ?? ''
    const found = /^([^|]+)\|(\d+);(\d+);\d+$/.exec(value)
    return found === null ? [] : [{ name: name!, key: found[1]!, offset: Number(found[2]), length: Number(found[3]) }]
  })
}
