// Blockwise int8: a byte an element, and a float32 scale for each block of up to 64 elements of a row. Symmetric: an
// element is its byte times the scale, the largest of a block ±127. Layout: docs/protocol.md, section 3. Knows no frames.

/** elements that share a scale, along the last axis; a row's last block may have fewer */
const blockLength = 64
/** Blocks that are smaller throughout are written as zeros: their scale would have lost bits. */
const smallest = 2 ** -119
/** bits of infinity; those of NaN lie above */
const infinity = 0x7f800000
/** the largest float32 that stays finite when multiplied by 127: the largest float32 divided by 127, rounded down */
const largestScale = 2 ** 121 * (1 + 0x10203 / 2 ** 23)

function blocksOf(rowLength: number): number {
  return Math.ceil(rowLength / blockLength)
}

/** bytes of `elements` floats in rows of `rowLength` */
export function int8Bytes(elements: number, rowLength: number): number {
  return elements === 0 ? 0 : elements + 4 * blocksOf(rowLength) * (elements / rowLength)
}

/** Where the block that an element lies in ends, and its number. */
function blockAt(element: number, rowLength: number): { block: number; end: number } {
  const column = element % rowLength
  const inRow = Math.floor(column / blockLength)
  return {
    block: Math.floor(element / rowLength) * blocksOf(rowLength) + inRow,
    end: element - column + Math.min(rowLength, (inRow + 1) * blockLength)
  }
}

/** Scales of the blocks `first` to `end - 1`. That of a block with NaN or an infinity is NaN. */
function scalesOf(data: Float32Array, rowLength: number, first: number, end: number): Float32Array<ArrayBuffer> {
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length)
  const scales = new Float32Array(end - first)
  const perRow = blocksOf(rowLength)
  const number = new Float32Array(1)
  const numberBits = new Int32Array(number.buffer)
  let column = (first % perRow) * blockLength
  let at = Math.floor(first / perRow) * rowLength + column
  for (let block = 0; block < scales.length; block++) {
    const next = at + Math.min(blockLength, rowLength - column)
    column = next - at + column === rowLength ? 0 : column + blockLength
    // bits of positive floats are in the order of the floats
    let largest = 0
    for (; at < next; at++) {
      const magnitude = bits[at]! & 0x7fffffff
      if (magnitude > largest) largest = magnitude
    }
    numberBits[0] = largest
    if (largest >= infinity) scales[block] = Number.NaN
    else if (number[0]! >= smallest) scales[block] = Math.min(number[0]! / 127, largestScale)
  }
  return scales
}

/** Added to a float64 it leaves the nearest integer, ties to even, in the lowest bits, which storing a byte takes. */
const roundingBias = 1.5 * 2 ** 52

/** The elements from `first` on, as many as there are bytes. */
function quantize(data: Float32Array, scales: Float32Array, rowLength: number, first: number, bytes: Int8Array): void {
  const elements = data.subarray(first, first + bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const { block, end } = blockAt(first + at, rowLength)
    const next = Math.min(bytes.length, end - first)
    // a scale that is 0 or NaN gives NaN, which is stored as 0
    const inverse = 1 / scales[block]!
    for (; at < next; at++) bytes[at] = elements[at]! * inverse + roundingBias
  }
}

/** The tensor in pieces of at most `maxBytes`: first all scales, then all elements. */
export function* int8Pieces(data: Float32Array, rowLength: number, maxBytes: number): Iterable<Uint8Array> {
  if (data.length === 0) return
  const scales = new Float32Array((data.length / rowLength) * blocksOf(rowLength))
  const scaleStep = Math.floor(maxBytes / 4)
  for (let at = 0; at < scales.length; at += scaleStep) {
    const part = scalesOf(data, rowLength, at, Math.min(at + scaleStep, scales.length))
    scales.set(part, at)
    yield new Uint8Array(part.buffer)
  }
  for (let at = 0; at < data.length; at += maxBytes) {
    const elements = new Int8Array(Math.min(maxBytes, data.length - at))
    quantize(data, scales, rowLength, at, elements)
    yield new Uint8Array(elements.buffer)
  }
}

/** The elements written in `bytes`, which begin at a multiple of four. */
export function int8Floats(
  bytes: Uint8Array<ArrayBuffer>,
  elements: number,
  rowLength: number
): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(elements)
  const scales = new Float32Array(bytes.buffer, bytes.byteOffset, (bytes.length - elements) / 4)
  const quantized = new Int8Array(bytes.buffer, bytes.byteOffset + 4 * scales.length, elements)
  for (let at = 0; at < elements; ) {
    const { block, end } = blockAt(at, rowLength)
    const scale = scales[block]!
    for (; at < end; at++) floats[at] = quantized[at]! * scale
  }
  return floats
}
