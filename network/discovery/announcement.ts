// A server's announcement, signed with its peer key. All announcements are verified here, from any source.

import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { escapeName } from '../../common/escape-controls.ts'
import { KiB, minute } from '../../common/units.ts'
import { swarmtune } from '../../proto/gen/swarmtune.js'
import type { Fields } from '../../proto/messages.ts'
import { parseAddress } from '../addresses.ts'
import type { PrivateKey } from '../private/identity.ts'

/** names of the .proto's enum ServerState, in its order */
const serverStates = ['joining', 'online', 'draining', 'offline', 'paused'] as const
/** What a server does: it loads, serves, finishes its last requests, has left, or makes a pause. */
export type ServerState = (typeof serverStates)[number]

type WireFields = Fields<swarmtune.v1.Announcement.$Properties>

/** An announcement as on the wire, with the peer id and the state as texts. */
export type Announcement = Omit<
  WireFields,
  'peerId' | 'state' | 'trips' | 'requestBytes' | 'serverName' | 'protocols' | 'device' | 'region' | 'encoderBlocks'
> & {
  /** so many of the model's blocks, the first ones, are an encoder's; absent: none */
  readonly encoderBlocks?: number
  /** the operator's name for the server; absent: not announced */
  readonly serverName?: string
  /** what computes, `CPU, 8 threads`; absent: not announced */
  readonly device?: string
  /** where the server is, in its operator's words; absent: not announced */
  readonly region?: string
  /** bytes of the largest accepted frame; absent: not announced */
  readonly requestBytes?: number
  /** ids such as `inference/3.0.0` of protocols whose versions differ from release 0.1.0; absent: none */
  readonly protocols?: readonly string[]
  readonly peerId: string
  readonly state: ServerState
  /** round trips that it has measured, to servers of the blocks that follow its own */
  readonly trips: readonly Trip[]
}

/** A round trip to a peer, in milliseconds. */
export interface Trip {
  readonly peerId: string
  readonly ms: number
}

/** What a server decides of its announcement; the rest is the network's. */
export type AnnouncementFields = Omit<
  Announcement,
  'peerId' | 'sequence' | 'expiresAt' | 'addresses' | 'version' | 'protocols'
> & {
  /** multiaddrs; default those of the network */
  readonly addresses?: readonly string[]
}

/** separates these signatures from all others of a peer key */
const announcementDomain = 'swarmtune-announcement'
const payloadType = new TextEncoder().encode('/swarmtune/announcement/1')

/** a whole signed record; typical are 200 to 400 bytes */
export const maxRecordBytes = 4 * KiB
/** maximum validity of a record, so that no peer can leave one for ever */
export const maxValidityMs = 60 * minute
/** allowed difference of clocks before a peer's maximum validity is refused */
const clockToleranceMs = 5 * minute

/** of one announcement */
export const maxAddresses = 16
export const maxTrips = 8
/** ids of protocols, and characters of each */
const maxProtocols = 32
const maxProtocolLength = 64
const maxTextLength = 128
const maxBlocks = 100_000

/** maximum characters of a server's name */
const maxServerNameLength = 64
/** Anything but letters, digits, punctuation, symbols and spaces within. */
const noServerName = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|^ | $/u

/** Throws INVALID_ARGUMENT for an invalid name of a server or of its region. */
export function checkServerName(name: string, what: 'server name' | 'region' = 'server name'): string {
  if (name.length >= 1 && name.length <= maxServerNameLength && !noServerName.test(name)) return name
  const expected = `1 to ${maxServerNameLength} printable characters, no space at either end`
  throw new SwarmError('INVALID_ARGUMENT', `${what} '${name}': expected ${expected}`)
}

const Wire = swarmtune.v1.Announcement

function reject(what: string): never {
  throw new SwarmError('INVALID_ARGUMENT', `announcement refused: ${what}`)
}

/** The signed record of an announcement: a marshalled libp2p RecordEnvelope. */
export async function seal(announcement: Announcement, privateKey: PrivateKey): Promise<Uint8Array> {
  const { peerId, state, addresses, trips, protocols, ...fields } = announcement
  const payload = Wire.encode({
    ...fields,
    addresses: [...addresses],
    trips: [...trips],
    ...(protocols && { protocols: [...protocols] }),
    peerId: peerIdFromString(peerId).toMultihash().bytes,
    state: serverStates.indexOf(state)
  }).finish()
  const record = { domain: announcementDomain, codec: payloadType, marshal: () => payload, equals: () => false }
  const envelope = await RecordEnvelope.seal(record, privateKey)
  return envelope.marshal()
}

function checkFields(announcement: Announcement, now: number): void {
  const { model, totalBlocks, firstBlock, endBlock, expiresAt } = announcement
  if (!/^[0-9a-f]{64}$/.test(model)) reject('the model identity is not 64 hexadecimal digits')
  if (!(totalBlocks >= 1 && totalBlocks <= maxBlocks)) reject(`${totalBlocks} blocks in all`)
  if (!(firstBlock < endBlock && endBlock <= totalBlocks)) {
    reject(`blocks ${firstBlock}-${endBlock} are no range of ${totalBlocks}`)
  }
  for (const text of [
    announcement.modelName,
    announcement.dtype,
    announcement.version,
    announcement.serverName ?? '',
    announcement.device ?? '',
    announcement.region ?? ''
  ]) {
    if (text.length > maxTextLength) reject(`a text of ${text.length} characters`)
  }
  for (const rate of [announcement.forwardRate, announcement.decodeRate]) {
    if (!(rate >= 0 && Number.isFinite(rate))) reject(`a rate of ${rate}`)
  }
  const { encoderBlocks = 0 } = announcement
  if (encoderBlocks > totalBlocks) reject(`${encoderBlocks} blocks of an encoder in ${totalBlocks}`)
  const { queueMs, trainingQueueMs, trips } = announcement
  for (const ms of [queueMs, trainingQueueMs]) if (!(ms >= 0 && Number.isFinite(ms))) reject(`a queue of ${ms} ms`)
  if (trips.length > maxTrips) reject(`${trips.length} round trips`)
  for (const { peerId, ms } of trips) {
    if (peerId.length > maxTextLength) reject('a peer id that is too long')
    if (!(ms >= 0 && Number.isFinite(ms))) reject(`a round trip of ${ms} ms`)
  }
  const { protocols = [] } = announcement
  if (protocols.length > maxProtocols) reject(`${protocols.length} protocols`)
  if (protocols.some(id => id.length > maxProtocolLength)) reject('a protocol id that is too long')
  if (announcement.addresses.length > maxAddresses) reject(`${announcement.addresses.length} addresses`)
  for (const address of announcement.addresses) {
    if (address.length > 2 * maxTextLength) reject('an address that is too long')
    parseAddress(address, 'announced address')
  }
  if (expiresAt <= now) reject(`expired ${now - expiresAt} ms ago (are the clocks right?)`)
  if (expiresAt > now + maxValidityMs + clockToleranceMs) {
    reject(`valid for ${expiresAt - now} ms, at most ${maxValidityMs} are accepted (are the clocks right?)`)
  }
}

/** The fields of a record, unverified. Throws INVALID_ARGUMENT. */
function decode(payload: Uint8Array): Omit<Announcement, 'peerId'> & { readonly peerBytes: Uint8Array } {
  let plain: WireFields
  try {
    plain = Wire.toObject(Wire.decode(payload), { longs: Number, defaults: true }) as WireFields
  } catch (error) {
    reject(`it does not decode (${messageOf(error)})`)
  }
  const { peerId, requestBytes, serverName, device, region, modelName, dtype, version, protocols, ...others } = plain
  const { encoderBlocks, ...fields } = others
  const state = serverStates[fields.state] ?? reject(`unknown state ${fields.state}`)
  for (const key of ['sequence', 'expiresAt', 'cacheBytesFree', 'requestBytes'] as const) {
    if (!Number.isSafeInteger(plain[key])) reject(`${key} is above 2^53 - 1`)
  }
  return {
    ...fields,
    // these reach terminals and logs
    modelName: escapeName(modelName),
    dtype: escapeName(dtype),
    version: escapeName(version),
    ...(encoderBlocks > 0 && { encoderBlocks }),
    ...(requestBytes > 0 && { requestBytes }),
    ...(serverName !== '' && { serverName: escapeName(serverName) }),
    ...(device !== '' && { device: escapeName(device) }),
    ...(region !== '' && { region: escapeName(region) }),
    ...(protocols.length > 0 && { protocols: protocols.map(escapeName) }),
    state,
    trips: fields.trips as readonly Trip[],
    peerBytes: peerId
  }
}

/**
 * The announcement in a signed record, at time `now` (milliseconds since 1970). Throws INVALID_ARGUMENT: too large, not
 * signed by the peer it speaks for, expired or valid for too long, fields that make no sense.
 */
export async function open(record: Uint8Array, now: number = Date.now()): Promise<Announcement> {
  if (record.length > maxRecordBytes) reject(`${record.length} bytes, at most ${maxRecordBytes} are accepted`)
  let envelope: RecordEnvelope
  try {
    envelope = await RecordEnvelope.openAndCertify(record, announcementDomain)
  } catch (error) {
    reject(messageOf(error))
  }
  // an announcement has one encoding: it cannot be padded or made to look new
  if (!Buffer.from(envelope.marshal()).equals(record)) reject('the envelope is not in canonical form')
  if (!Buffer.from(payloadType).equals(envelope.payloadType)) reject('the envelope holds something else')
  const { peerBytes, ...fields } = decode(envelope.payload)
  const signer = peerIdFromPublicKey(envelope.publicKey)
  if (!signer.toMultihash().bytes.every((byte, i, all) => all.length === peerBytes.length && byte === peerBytes[i])) {
    reject(`${signer} signed it for another peer`)
  }
  const announcement = { ...fields, peerId: signer.toString() }
  checkFields(announcement, now)
  return announcement
}

/** The sequence number in a record whose signature is known to be good; -1 when it does not decode. */
export function sequenceOf(record: Uint8Array): number {
  try {
    return decode(RecordEnvelope.createFromProtobuf(record).payload).sequence
  } catch {
    return -1
  }
}
