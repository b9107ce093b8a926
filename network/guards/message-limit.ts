// Limits length-prefixed messages of libp2p's services before decoding. A service without its own limit reads up to 4
// MiB and may work on it for seconds.
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface'
import { SwarmError } from '../../common/errors.ts'

/**
 * Resets the stream at the first length prefix above the limit. Call before anything else listens to the stream.
 * @param what for the error: `DHT`
 * @param count messages before other bytes follow; default: messages only
 */
export function limitMessages(stream: Stream, what: string, maxBytes: number, count = Number.POSITIVE_INFINITY): void {
  let messages = 0
  /** the current message: remaining bytes, or the received part of its length prefix */
  let left = 0
  let length = 0
  let scale = 1
  const isTooLong = (data: Uint8Array): boolean => {
    for (let at = 0; at < data.length; ) {
      if (left > 0) {
        const skipped = Math.min(left, data.length - at)
        left -= skipped
        at += skipped
        continue
      }
      if (messages === count) return false
      const byte = data[at++]!
      length += (byte & 0x7f) * scale
      scale *= 128
      if (length > maxBytes || scale > 2 ** 35) return true
      if (byte >= 0x80) continue
      ;[left, length, scale] = [length, 0, 1]
      messages++
    }
    return false
  }
  const onMessage = ({ data }: StreamMessageEvent): void => {
    const isOver = (data instanceof Uint8Array ? [data] : [...data]).some(isTooLong)
    if (!isOver && (messages < count || left > 0)) return
    stream.removeEventListener('message', onMessage)
    if (isOver) stream.abort(new SwarmError('BAD_FRAME', `a message of ${what} of more than ${maxBytes} bytes`))
  }
  stream.addEventListener('message', onMessage)
}

type Handler = (stream: Stream, connection: Connection) => void | Promise<void>

interface Registrar {
  handle(protocol: string, handler: Handler, options?: object): Promise<void>
}

/**
 * Components of a service whose streams start with one message of limited size in each direction, followed by other
 * bytes.
 */
export function withFirstMessageLimit<Components extends object>(components: Components, maxBytes: number): Components {
  const { registrar } = components as { registrar: Registrar }
  const limited: Registrar = Object.create(registrar, {
    handle: {
      value: (protocol: string, handler: Handler, options?: object) => {
        const serve: Handler = (stream, connection) => {
          limitMessages(stream, protocol, maxBytes, 1)
          return handler(stream, connection)
        }
        return registrar.handle(protocol, serve, options)
      }
    }
  })
  return Object.create(components, { registrar: { value: limited } }) as Components
}
