// Announcements on the DHT: the keys, and the checks before a node stores or trusts a record.
import type { KadDHTInit } from '@libp2p/kad-dht'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { SwarmError } from '../../common/errors.ts'
import { storingHost } from '../guards/dht-guard.ts'
import { sequenceOf } from './announcement.ts'
import type { Directory } from './directory.ts'

/** first part of the key of every announcement */
const namespace = 'swarm-server'
/** multicodec `raw` */
const rawCodec = 0x55

/** The DHT key of a peer's announcement: `/swarm-server/<peer id>`. */
export function recordKey(peerId: string): Uint8Array {
  return new TextEncoder().encode(`/${namespace}/${peerId}`)
}

/** The content id whose providers are the servers of a model: of sha256('swarmtune-model:' + identity). */
export async function modelKey(model: string): Promise<CID> {
  return CID.createV1(rawCodec, await sha256.digest(new TextEncoder().encode(`swarmtune-model:${model}`)))
}

/**
 * The validator and selector of announcements. What is valid also enters the directory: a node that stores records of
 * the DHT can answer for them.
 */
export function recordRules(directory: Directory): Required<Pick<KadDHTInit, 'validators' | 'selectors'>> {
  return {
    validators: {
      async [namespace](key, record) {
        const announcement = await directory.check(record)
        if (!Buffer.from(key).equals(recordKey(announcement.peerId))) {
          throw new SwarmError('INVALID_ARGUMENT', `a record of ${announcement.peerId} does not belong under this key`)
        }
        directory.keep(record, announcement, storingHost())
      }
    },
    selectors: {
      [namespace]: (_key, records) => {
        const sequences = records.map(sequenceOf)
        return sequences.indexOf(Math.max(...sequences))
      }
    }
  }
}
