// Protocol selection without a round trip: for our own protocols the opener writes its multistream-select messages and
// the first frame at once, and reads the listener's answer when it comes. On the wire this is plain multistream-select
// 1.0.0 (https://github.com/multiformats/multistream-select): any listener understands it.
import type { StreamMuxerFactory } from '@libp2p/interface'
import { SwarmError } from '../../common/errors.ts'
import { stallTimeoutMs } from '../constants.ts'
import type { ByteChannel } from './byte-channel.ts'

const multistream = '/multistream/1.0.0'

/** A message of multistream-select: a varint length (under 128: one byte) and the text with a newline. */
function line(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\n`)
  const out = new Uint8Array(1 + bytes.length)
  out[0] = bytes.length
  out.set(bytes, 1)
  return out
}

/** What the opener of a stream writes before its first frame. */
export function preface(protocol: string): Uint8Array {
  const parts = [line(multistream), line(protocol)]
  const out = new Uint8Array(parts[0]!.length + parts[1]!.length)
  out.set(parts[0]!)
  out.set(parts[1]!, parts[0]!.length)
  return out
}

async function readLine(channel: ByteChannel, signal?: AbortSignal): Promise<string> {
  const length = new Uint8Array(1)
  const options = { timeoutMs: stallTimeoutMs, ...(signal && { signal }) }
  if ((await channel.read(length, options)) < 1 || length[0]! >= 0x80) return ''
  const bytes = new Uint8Array(length[0]!)
  const read = await channel.read(bytes, options)
  return new TextDecoder().decode(bytes.subarray(0, read)).trimEnd()
}

export interface AnswerOptions {
  readonly signal?: AbortSignal
  /** an explanation by the peer's known versions; undefined: they do not explain its refusal */
  versions?(): Promise<string | undefined>
}

/**
 * Reads the listener's answer to the preface. Throws UNSUPPORTED if it does not speak the protocol, and the signal's
 * reason.
 */
export async function readAnswer(
  channel: ByteChannel,
  peerId: string,
  protocol: string,
  { signal, versions }: AnswerOptions = {}
): Promise<void> {
  if ((await readLine(channel, signal)) === multistream && (await readLine(channel, signal)) === protocol) return
  const differ = await versions?.()
  const message =
    differ === undefined
      ? `${peerId} does not speak ${protocol} (it may be starting, or of another version)`
      : `${peerId} ${differ}: update the older of the two`
  // a restarted server answers this until it has its blocks; another server may work
  const error = new SwarmError('UNSUPPORTED', message, { retryable: true })
  channel.abort(error)
  throw error
}

/** Marks the options of `connection.newStream` for a stream whose opener writes the preface itself. */
export const optimistic = Symbol('optimistic')

/** A stream muxer that leaves the negotiation of streams marked as `optimistic` to their opener. */
export function optimisticMuxer(create: () => StreamMuxerFactory): () => StreamMuxerFactory {
  return () => {
    const factory = create()
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection)
      const createStream = muxer.createStream.bind(muxer)
      muxer.createStream = async options => {
        const stream = await createStream(options)
        // libp2p negotiates only streams without a protocol
        if (options?.protocol && optimistic in options) stream.protocol = options.protocol
        return stream
      }
      return muxer
    }
    return factory
  }
}
