// The blocks that a server hosts now, ready to compute: weights, programs, and how fast they are. A server that moves has another.
import { type OnProgress, runStage } from '../../common/progress.ts'
import { type BlockRange, rangeLength } from '../../common/range.ts'
import { second } from '../../common/units.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { type BlockWeights, blockWeights } from '../../model/weights/block-weights.ts'
import { getPacker } from '../../runtime/packer.ts'
import { maxPieceTokens, maxPrograms, minPieceTokens, pieceMs } from '../limits.ts'
import { SpanDecoder } from './decoder.ts'
import { SpanExecutor } from './executor.ts'
import { SpanPrograms } from './programs.ts'
import { RotaryTables } from './rotary.ts'
import { measureThroughput, type Throughput } from './throughput.ts'

export interface SpanInit {
  readonly checkpoint: Checkpoint
  readonly precision: Precision
  readonly cacheDir: string
  readonly threads?: number
  readonly onProgress?: OnProgress
  /** called with the paths of outdated conversions that were removed from the cache */
  readonly onRemoved?: (paths: readonly string[]) => void
  /** maximum bytes of weights with rearranged copies */
  prepackedBytes(weightBytes: number): number
}

export interface HostedSpan {
  readonly range: BlockRange
  readonly weights: BlockWeights
  readonly programs: SpanPrograms
  readonly executor: SpanExecutor
  readonly decoder: SpanDecoder
  /** as measured, without any limit */
  readonly throughput: Throughput
}

/** Loads blocks and measures them. Releases everything if that fails. */
export async function loadSpan(init: SpanInit, range: BlockRange, signal: AbortSignal): Promise<HostedSpan> {
  const { checkpoint, precision, cacheDir, threads, onProgress, onRemoved } = init
  const converting = { cacheDir, precision, packer: getPacker(), onProgress, onRemoved, signal }
  const weights = await blockWeights(checkpoint, range, converting)
  const programs = new SpanPrograms({
    checkpoint,
    range,
    weights,
    precision,
    threads,
    prepackedBytes: init.prepackedBytes(weights.bytes),
    maxSessions: maxPrograms
  })
  try {
    const components = { programs, rotary: new RotaryTables(checkpoint) }
    const [executor, decoder] = [new SpanExecutor(components), new SpanDecoder(components)]
    const measured = { config: checkpoint.config, executor, decoder }
    const throughput = await runStage(onProgress, { stage: 'measure', name: checkpoint.name }, () =>
      measureThroughput(measured, range, { signal })
    )
    return { range, weights, programs, executor, decoder, throughput }
  } catch (error) {
    await programs.close()
    throw error
  }
}

/** Tokens of a prompt piece: as many as this machine computes in the time that other sessions may wait. */
export function pieceTokensOf({ throughput, range }: HostedSpan): number {
  const perSecond = throughput.forwardRate / rangeLength(range)
  const tokens = Math.round((perSecond * pieceMs) / second)
  return Math.min(Math.max(tokens, minPieceTokens), maxPieceTokens)
}
