// The rearranged copies of weights that ONNX Runtime computes products with, written to a file once instead of made in memory by
// every session.
import { readFile, stat } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { messageOf, SwarmError } from '../common/errors.ts'
import { packedWeightsOf, type WeightPacker } from '../graph/packed-weights.ts'
import { serialize } from '../graph/serialize.ts'
import { getDevice } from './device.ts'
import { savedModel } from './device-protocol.ts'
import { ortVersion } from './library.ts'

function full(path: string, why: string): SwarmError {
  const advice = 'free some space, or keep its folder on another disk'
  return new SwarmError('DISK_FULL', `${path}: no space to write it (${why}): ${advice}`)
}

const pack: WeightPacker['pack'] = async (graph, { folder, weights, signal }) => {
  signal?.throwIfAborted()
  const options = { provider: 'cpu', threads: 1, mapped: false, folder, inPlace: false, saveTo: folder }
  const path = join(folder, savedModel.weights)
  const device = getDevice('thread')
  try {
    const created = await device.request({ kind: 'create', model: serialize(graph, weights), options })
    await device.request({ kind: 'release', session: (created as { session: number }).session })
  } catch (error) {
    const message = messageOf(error)
    if (message.includes('Failed to write')) throw full(path, 'ONNX Runtime failed to write')
    throw new SwarmError('INTERNAL', `rearranging weights of graph ${graph.name}: ${message}`, { cause: error })
  }
  const copies = packedWeightsOf(await readFile(join(folder, savedModel.model)))
  const expected = Math.max(0, ...copies.map(({ offset, length }) => offset + length))
  const found = copies.length === 0 ? 0 : (await stat(path)).size
  if (found < expected) throw full(path, `expected ${expected} bytes, found ${found}`)
  return { file: savedModel.weights, copies }
}

/**
 * What makes copies on this machine; undefined where that is not known to be right: it has been tried on x64 only, and elsewhere
 * copies are made in memory.
 */
export function getPacker(): WeightPacker | undefined {
  if (process.arch !== 'x64') return undefined
  return { maker: `onnxruntime ${ortVersion()} ${process.platform} ${process.arch} ${cpus()[0]?.model}`, pack }
}
