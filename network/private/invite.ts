// The text that lets a machine into a private swarm: `swarm1…`, secret, addresses and model in one paste. Knows no files.
import { createHash, randomBytes } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import { base58btc } from 'multiformats/bases/base58'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { escapeName } from '../../common/escape-controls.ts'
import { swarmtune } from '../../proto/gen/swarmtune.js'
import { toMultiaddr } from '../addresses.ts'

const Wire = swarmtune.v1.Invite
/** the digit is the version of the format */
const prefix = 'swarm1'
const checksumBytes = 4
/** of a libp2p pre-shared key */
const secretBytes = 32
/** peers named by one invite; one that answers is enough */
export const maxInvitePeers = 8
/** characters; eight addresses of names and relays take less than half. Decoding takes the square of the length. */
export const maxInviteLength = 8192
const maxNameLength = 64

export interface Invite {
  /** letters, digits, `.`, `_` and `-`: it names a file too */
  readonly name: string
  readonly secret: Uint8Array
  /** multiaddrs of peers to join by; empty if the swarm is found by multicast */
  readonly peers: readonly string[]
  /** identity (hex) and name of the one model that the swarm is for */
  readonly model?: { readonly identity: string; readonly name: string }
}

function reject(what: string, cause?: unknown): never {
  throw new SwarmError('INVALID_ARGUMENT', `invite: ${what}`, { cause })
}

/** A new secret, 32 random bytes. */
export function generateSecret(): Uint8Array {
  return new Uint8Array(randomBytes(secretBytes))
}

/** Throws INVALID_ARGUMENT for an invalid swarm name. */
export function checkSwarmName(name: string): string {
  if (name.length <= maxNameLength && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `swarm name '${escapeName(name)}': expected at most ${maxNameLength} letters, digits, '.', '_' or '-', a letter or digit first`
  )
}

function checksum(payload: Uint8Array): Uint8Array {
  return createHash('sha256').update(prefix).update(payload).digest().subarray(0, checksumBytes)
}

function checkInvite(invite: Invite): Invite {
  checkSwarmName(invite.name)
  if (invite.secret.length !== secretBytes) {
    reject(`expected a secret of ${secretBytes} bytes, found ${invite.secret.length}`)
  }
  if (invite.peers.length > maxInvitePeers) reject(`${invite.peers.length} addresses, at most ${maxInvitePeers}`)
  if (invite.model && !/^[0-9a-f]{64}$/.test(invite.model.identity)) reject('the model identity is not 64 hex digits')
  return invite
}

/** `swarm1` and base58 (btc alphabet) of a protobuf `Invite` with four bytes of checksum. Throws INVALID_ARGUMENT. */
export function formatInvite(invite: Invite): string {
  const { name, secret, peers, model } = checkInvite(invite)
  const payload = Wire.encode({
    name,
    secret,
    peers: peers.map(text => multiaddr(toMultiaddr(text, 'address of an invite')).bytes),
    model: model ? Buffer.from(model.identity, 'hex') : new Uint8Array(),
    modelName: model?.name ?? ''
  }).finish()
  return prefix + base58btc.baseEncode(Buffer.concat([payload, checksum(payload)]))
}

/** Whether a text means to be an invite rather than a name. */
export function looksLikeInvite(text: string): boolean {
  return /^\s*swarm\d+[1-9A-HJ-NP-Za-km-z]{40,}/.test(text)
}

/** Decodes an invite. White space around and inside it (a wrapped line) is ignored. Throws INVALID_ARGUMENT. */
export function parseInvite(text: string): Invite {
  const bare = text.replaceAll(/\s/g, '')
  if (!/^swarm\d/.test(bare)) reject(`expected a text that begins with ${prefix}, found '${bare.slice(0, 12)}…'`)
  if (!bare.startsWith(prefix)) {
    reject(`version ${bare.slice(5, 6)} is not known here (this build reads ${prefix}…): update swarmtune`)
  }
  if (bare.length > maxInviteLength) reject(`${bare.length} characters, at most ${maxInviteLength}`)
  const body = bare.slice(prefix.length)
  const foreign = /[^1-9A-HJ-NP-Za-km-z]/.exec(body)
  if (foreign) reject(`'${foreign[0]}' at character ${prefix.length + foreign.index + 1} is no character of an invite`)
  const bytes = base58btc.baseDecode(body)
  const payload = bytes.subarray(0, -checksumBytes)
  if (bytes.length <= checksumBytes || Buffer.compare(checksum(payload), bytes.subarray(-checksumBytes)) !== 0) {
    reject(`the checksum is wrong (${bare.length} characters): one is missing or mistyped; copy all of it again`)
  }
  try {
    const { name, secret, peers, model, modelName } = Wire.toObject(Wire.decode(payload), { defaults: true })
    return checkInvite({
      name,
      secret: Uint8Array.from(secret as Uint8Array),
      peers: (peers as Uint8Array[]).map(address => multiaddr(address).toString()),
      ...((model as Uint8Array).length > 0 && {
        model: { identity: Buffer.from(model as Uint8Array).toString('hex'), name: modelName }
      })
    } as Invite)
  } catch (error) {
    if (error instanceof SwarmError) throw error
    reject(`its content cannot be read (${messageOf(error)})`, error)
  }
}
