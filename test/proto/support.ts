// Floats through a codec, for tests.
import { tensor } from '../../common/tensor.ts'
import { type Codec, decodeFloats, encodePieces } from '../../proto/codec.ts'

/** The bytes of `data` on the wire, in pieces of `maxBytes`; as rows of `rowLength`, or as one. */
export function encodeFloats(
  data: Float32Array<ArrayBuffer>,
  codec: Codec,
  { rowLength = data.length, maxBytes = 1 << 30 } = {}
): Uint8Array<ArrayBuffer> {
  const rows = rowLength === 0 ? 0 : data.length / rowLength
  const pieces = [...encodePieces(tensor('float32', [rows, rowLength], data), codec, maxBytes)]
  return new Uint8Array(pieces.flatMap(piece => [...piece]))
}

/** There and back. */
export function roundTrip(
  data: Float32Array<ArrayBuffer>,
  codec: Codec,
  rowLength = data.length
): Float32Array<ArrayBuffer> {
  const rows = rowLength === 0 ? 0 : data.length / rowLength
  return decodeFloats(encodeFloats(data, codec, { rowLength }), [rows, rowLength], codec)
}
