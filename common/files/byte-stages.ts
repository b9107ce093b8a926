// Stages for pipes of bytes (`it-pipe`): each takes an async iterable and gives one, or is the end of a pipe.

/** Bytes in order, in pieces of any size. */
export type Bytes = AsyncIterable<Uint8Array>

/** All items, as the end of a pipe. */
async function toList<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Pieces as one; a single piece is not copied. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  if (pieces.length === 1) return first!
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** All bytes in one piece, as the end of a pipe. */
export async function whole(bytes: Bytes): Promise<Uint8Array> {
  return joinBytes(await toList(bytes))
}

/** Tells the length of every piece that passes. */
export function counted(onBytes: (count: number) => void) {
  return async function* (bytes: Bytes): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      onBytes(piece.length)
      yield piece
    }
  }
}

/** Throws what `refuse` makes as soon as there are more than `most` bytes; the piece that is too much does not pass. */
export function atMost(most: number, refuse: () => Error) {
  return async function* (bytes: Bytes): AsyncGenerator<Uint8Array> {
    let left = most
    for await (const piece of bytes) {
      left -= piece.length
      if (left < 0) throw refuse()
      yield piece
    }
  }
}

/** Cuts pieces that are larger than `size`. */
export function inPieces(size: number) {
  return async function* (bytes: Bytes): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      for (let at = 0; at < piece.length; at += size) yield piece.subarray(at, at + size)
    }
  }
}

/** The hash of all bytes in hex, as the end of a pipe. @param hash `createHash` of node:crypto, or what is like it */
export function hashed(hash: { update(bytes: Uint8Array): unknown; digest(encoding: 'hex'): string }) {
  return async (bytes: Bytes): Promise<string> => {
    for await (const piece of bytes) hash.update(piece)
    return hash.digest('hex')
  }
}
