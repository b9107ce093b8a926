// What peers send: frames of the wire protocol, signed records, invites, allow-lists.
import { createHash } from 'node:crypto'
import { base58btc } from 'multiformats/bases/base58'
import { messageOf } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { float32, int64, tensor } from '../../../common/tensor.ts'
import { minute } from '../../../common/units.ts'
import { type Announcement, open, seal } from '../../../network/discovery/announcement.ts'
import { parseAllowList } from '../../../network/private/allow-list.ts'
import { generateIdentity, type PrivateKey } from '../../../network/private/identity.ts'
import { formatInvite, maxInviteLength, parseInvite } from '../../../network/private/invite.ts'
import { decodeFrame, encodeFrame, type Message } from '../../../proto/frame.ts'
import { announced } from '../../announced.ts'
import { mutateJson } from '../mutate.ts'
import type { FuzzTarget } from '../target.ts'

const { model } = announced
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const messages: readonly Message[] = [
  {
    body: {
      kind: 'forwardRequest',
      span: { model, firstBlock: 4, endBlock: 8, timeoutMs: 30_000, codec: 'bf16' },
      keepResiduals: true,
      dropout: { probability: 0.5, seed: 7 }
    },
    tensors: {
      hidden: float32([1, 2, 2], [1, -2, 0.5, 65504]),
      mask: int64([1, 2], [1, 0]),
      lengths: tensor('int32', [1], Int32Array.of(-7)),
      'blocks.0.lora.self_attn.q_proj.A': float32([0, 2], [])
    }
  },
  { body: { kind: 'directoryRequest', model, announcements: [bytesOf('a record')] }, tensors: {} },
  {
    body: { kind: 'failure', code: 'BUSY', message: 'the queue is full', retryable: true, retryAfterMs: 20 },
    tensors: {}
  } as Message
]

const frames: FuzzTarget = {
  name: 'frames',
  seeds: async () =>
    messages.flatMap(message =>
      (['fp32', 'fp16', 'int8'] as const).map(codec => {
        const { head, payload } = encodeFrame(message, codec)
        return new Uint8Array(Buffer.concat([head, ...payload]))
      })
    ),
  run: input => void decodeFrame(input, 1 << 20)
}

const announcement = (peerId: string): Announcement => ({
  ...announced,
  peerId,
  version: '0.1.0',
  addresses: ['/ip4/127.0.0.1/tcp/31330'],
  sequence: 1_800_000_000_000,
  expiresAt: Date.now() + 4 * minute
})

let key: Promise<{ privateKey: PrivateKey; peerId: string }> | undefined

/** One key for all inputs of a run. */
function signer(): Promise<{ privateKey: PrivateKey; peerId: string }> {
  key ??= (async () => {
    const privateKey = await generateIdentity()
    return { privateKey, peerId: base58btc.baseEncode(privateKey.publicKey.toMultihash().bytes) }
  })()
  return key
}

const records: FuzzTarget = {
  name: 'records',
  async seeds() {
    const { privateKey, peerId } = await signer()
    return [await seal(announcement(peerId), privateKey)]
  },
  run: async input => void (await open(input))
}

/** Fields that their peer has signed, whatever they are: what a hostile member can announce. */
const announcements: FuzzTarget = {
  name: 'announcements',
  seeds: async () => [bytesOf(JSON.stringify(announcement((await signer()).peerId)))],
  mutate: mutateJson,
  async run(input) {
    const { privateKey, peerId } = await signer()
    let record: Uint8Array
    try {
      const fields = JSON.parse(textOf(input)) as Announcement
      record = await seal(
        { ...fields, peerId: typeof fields?.peerId === 'string' ? fields.peerId : peerId },
        privateKey
      )
    } catch (error) {
      if (messageOf(error).includes('Maximum call stack')) throw error
      return // cannot be encoded, so cannot be sent
    }
    await open(record)
  }
}

const invites: FuzzTarget = {
  name: 'invites',
  seeds: async () => [
    bytesOf(
      formatInvite({
        name: 'home',
        secret: Uint8Array.from({ length: 32 }, (_, index) => index),
        peers: ['/ip4/127.0.0.1/tcp/31330', '/dns4/home.example/tcp/31330'],
        model: { identity: model, name: 'tiny' }
      })
    )
  ],
  /** Changes what the invite says and makes its checksum right again: those are read further than the checksum. */
  mutate(seed, { uint32 }) {
    const random = createRandom(uint32())
    const prefix = 'swarm1'
    if (seed.length > maxInviteLength) return seed // decoding takes the square of it
    let payload: Uint8Array
    try {
      payload = base58btc.baseDecode(textOf(seed).slice(prefix.length)).slice(0, -4)
    } catch {
      return seed
    }
    if (payload.length === 0) return seed
    for (let count = 1 + random.integer(3); count > 0; count--)
      payload[random.integer(payload.length)] = random.integer(256)
    const sum = createHash('sha256').update(prefix).update(payload).digest().subarray(0, 4)
    return bytesOf(prefix + base58btc.baseEncode(Buffer.concat([payload, sum])))
  },
  run: input => void parseInvite(textOf(input))
}

const allowLists: FuzzTarget = {
  name: 'allow-lists',
  seeds: async () => [
    bytesOf(`# machines\n${(await signer()).peerId} server\n${(await signer()).peerId} client # ours\n`)
  ],
  run: input => void parseAllowList(textOf(input), 'allowed')
}

export const wireTargets: readonly FuzzTarget[] = [frames, records, announcements, invites, allowLists]
