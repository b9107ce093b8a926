// Records each request of a server: a count, a duration, bytes, and a line in the log.
import { messageOf, toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { bytesOf } from '../../common/tensor.ts'
import type { NamedTensors } from '../../proto/messages.ts'
import type { ServerMetrics } from './metrics.ts'

/** Where requests are counted and logged. */
export interface RequestLog {
  readonly metrics: Pick<ServerMetrics, 'begin' | 'bytes'>
  readonly logger: Logger
}

export interface Observed {
  /** `forwardRequest` */
  readonly kind: string
  readonly peerId: string
  readonly received: NamedTensors
}

/** Bytes of tensors in memory; on the wire they may be fewer. */
function bytesOfAll(tensors: NamedTensors): number {
  return Object.values(tensors).reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0)
}

/** Tells of a request that was refused before it was read whole. */
export function observeRefusal(
  { metrics, logger }: RequestLog,
  { kind, peerId }: Pick<Observed, 'kind' | 'peerId'>,
  error: unknown
): void {
  const { code } = toSwarmError(error)
  metrics.begin(kind)(code)
  logger.debug({ peer: peerId, kind, milliseconds: 0, result: code, reason: messageOf(error) }, 'request')
}

/** Runs one request, which tells `sent` of the tensors in its answer. */
export async function observe<T>(
  { metrics, logger }: RequestLog,
  { kind, peerId, received }: Observed,
  request: (sent: (tensors: NamedTensors) => void) => Promise<T>
): Promise<T> {
  const done = metrics.begin(kind)
  const start = performance.now()
  const log = (fields: object): void => {
    logger.debug({ peer: peerId, kind, milliseconds: Math.round(performance.now() - start), ...fields }, 'request')
  }
  metrics.bytes('received', bytesOfAll(received))
  try {
    const result = await request(tensors => metrics.bytes('sent', bytesOfAll(tensors)))
    done('ok')
    log({ result: 'ok' })
    return result
  } catch (error) {
    const { code } = toSwarmError(error)
    done(code)
    log({ result: code, reason: messageOf(error) })
    throw error
  }
}
