// The hash by which peers name the trained tensors of a session without sending them. docs/protocol.md has the format.
import { createHash } from 'node:crypto'
import type { Float32Tensor } from '../../common/tensor.ts'

type Ports = Readonly<Record<string, Float32Tensor>>

const digests = new WeakMap<Digests, Map<string, Uint8Array>>()

/** Digests of tensors that are known already, by name; for as long as the tensors do not change. */
export interface Digests {
  readonly of: Readonly<Record<string, unknown>>
}

function digestOf({ data }: Float32Tensor): Uint8Array {
  return createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest()
}

/**
 * SHA-256 over the tensors in the order of their names' UTF-8 bytes: for each the line `name shape`, sizes with spaces between them, and the
 * SHA-256 of its elements, binary32 little endian. 32 bytes.
 * @param known remembers the tensors' own digests, for hashes of parts of the same ports
 */
export function hashPorts(ports: Ports, known: Digests = { of: ports }): Uint8Array {
  let own = digests.get(known)
  if (own === undefined) {
    own = new Map()
    digests.set(known, own)
  }
  const hash = createHash('sha256')
  for (const name of Object.keys(ports).sort()) {
    const digest = own.get(name) ?? digestOf(ports[name]!)
    own.set(name, digest)
    hash.update(`${name} ${ports[name]!.shape.join(' ')}\n`).update(digest)
  }
  return hash.digest()
}
