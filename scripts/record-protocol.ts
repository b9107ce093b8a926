// Records what this release writes on the wire: a frame of each kind, a signed announcement, an invite, and the schema. The test
// test/proto/released.test.ts keeps all recorded releases readable.
//   node scripts/record-protocol.ts           once for a release; a folder that is there is not written again
//   node scripts/record-protocol.ts --again   while the release is not published yet
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { float32, int64, tensor } from '../common/tensor.ts'
import { version } from '../common/version.ts'
import { type Announcement, seal } from '../network/discovery/announcement.ts'
import { formatInvite, type Invite } from '../network/private/invite.ts'
import {
  type BodyKind,
  type BodyOf,
  type Codec,
  encodeFrame,
  type FrameBody,
  type NamedTensors
} from '../proto/frame.ts'
import { dhtProtocol, protocols } from '../proto/protocols.ts'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'test/proto/released', version)
if (existsSync(folder) && !process.argv.includes('--again')) {
  console.error(`${folder} is recorded already: raise the version in package.json for a new release`)
  process.exit(1)
}

const model = '0123456789abcdef'.repeat(4)
const bytes = (length: number, first: number) => Uint8Array.from({ length }, (_, index) => (first + index) % 256)
const span = { model, firstBlock: 4, endBlock: 8, timeoutMs: 30_000, codec: 'fp16' } as const
const dropout = { probability: 0.25, seed: Number.MAX_SAFE_INTEGER }
const next = { peerId: '12D3KooWnext', announcement: bytes(40, 7), replay: true }

/** Every field of every body, none of them as it is when absent. */
const bodies: { readonly [K in BodyKind]: Omit<BodyOf<K>, 'kind'> } = {
  failure: { code: 'BUSY', message: 'the queue is full — später', retryable: true, retryAfterMs: 1500 },
  infoRequest: {},
  infoResponse: {
    announcement: bytes(60, 1),
    sessions: 3,
    cacheBytesUsed: 2 ** 33,
    cacheBytesTotal: 2 ** 35 + 1,
    residualBytesUsed: 2 ** 20,
    residualBytesTotal: 2 ** 53 - 1,
    queueLength: 9
  },
  directoryRequest: { model, announcements: [bytes(30, 2), bytes(31, 3)] },
  directoryResponse: { announcements: [bytes(32, 4), bytes(1, 5)] },
  forwardRequest: { span, keepResiduals: true, dropout },
  forwardResponse: { residualId: 'residual-7' },
  backwardRequest: { span: { ...span, codec: 'bf16' }, residualId: 'residual-7', dropout },
  backwardResponse: {},
  inferenceOpen: {
    span: { ...span, codec: 'int8' },
    batch: 2,
    maxLength: 4096,
    session: bytes(16, 9),
    previous: '12D3KooWprevious',
    next
  },
  inferenceReady: { cacheBytes: 2 ** 34 },
  inferenceStep: { timeoutMs: 5000, step: 70_000, lastOnly: true, replay: true },
  inferenceResult: { step: 70_000 },
  tensorsRequest: {
    model,
    file: 'config.json',
    tensor: 'model.norm.weight',
    firstByte: 2 ** 40,
    endByte: 2 ** 40 + 5,
    hashes: ['a', 'b']
  },
  tensorsResponse: { data: bytes(17, 200) },
  inferenceRoute: { previous: '12D3KooWprevious', next, replay: true, keepNext: true },
  inferenceNotice: { code: 'DRAINING', message: 'leaving', step: 12 },
  pushOpen: { session: bytes(16, 9) },
  probeRequest: { addresses: ['/ip4/192.168.1.5/tcp/31330'] },
  probeResponse: {
    version: '0.1.0',
    time: 1_800_000_000_000,
    seenAs: '/ip4/192.168.1.7/tcp/50000',
    dialed: [{ address: '/ip4/192.168.1.5/tcp/31330', failure: 'ECONNREFUSED' }]
  }
}

/** Numbers that every codec holds exactly, so that what is read is what was recorded. */
const tensors: NamedTensors = {
  hidden: float32([1, 2, 4], [0, 1, -1, 0.5, 127, -127, 64, 0.25]),
  lengths: int64([2], [3, -1]),
  mask: tensor('int32', [3], Int32Array.of(1, 0, -7)),
  empty: float32([0, 4], [])
}
/** int8 rounds: each block of 64 has one scale, so these are whole numbers up to 127 */
const whole: NamedTensors = { hidden: float32([2, 3], [127, -1, 0, 5, -127, 64]) }

/** JSON of values; bytes as hexadecimal text. */
const json = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, entry) => (entry instanceof Uint8Array ? { bytes: Buffer.from(entry).toString('hex') } : entry),
    1
  )

const plain = (named: NamedTensors) =>
  Object.fromEntries(
    Object.entries(named).map(([name, { dtype, shape, data }]) => [
      name,
      { dtype, shape, data: Array.from(data, Number) }
    ])
  )

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const frames: Record<string, { codec: Codec; body: unknown; tensors: unknown }> = {}
function record(name: string, kind: BodyKind, codec: Codec, named: NamedTensors): void {
  const body = { kind, ...bodies[kind] } as FrameBody
  const { head, payload } = encodeFrame({ body, tensors: named }, codec)
  writeFileSync(join(folder, `${name}.frame.bin`), Buffer.concat([head, ...payload]))
  frames[name] = { codec, body, tensors: plain(named) }
}
for (const kind of Object.keys(bodies) as BodyKind[]) record(kind, kind, 'fp32', {})
for (const codec of ['fp32', 'fp16', 'bf16'] as const) record(`tensors-${codec}`, 'inferenceStep', codec, tensors)
record('tensors-int8', 'inferenceStep', 'int8', whole)
/** what blocks of a decoder attend to of an encoder */
const states: NamedTensors = {
  encoder_hidden: float32([2, 2, 2], [0.5, -1, 2, 0, 1, 1, -0.25, 8]),
  encoder_mask: int64([2, 2], [1, 1, 1, 0])
}
record('encoder-forward', 'forwardRequest', 'fp16', { ...states, hidden: tensors.hidden! })
record('encoder-backward', 'backwardResponse', 'fp32', {
  'grad.hidden': tensors.hidden!,
  'grad.encoder_hidden': states.encoder_hidden!
})
record('encoder-open', 'inferenceOpen', 'fp16', states)

const seed = bytes(32, 100)
const key = await generateKeyPairFromSeed('Ed25519', seed)
const now = 1_800_000_000_000
const announcement: Announcement = {
  peerId: peerIdFromPrivateKey(key).toString(),
  model,
  modelName: 'tiny',
  totalBlocks: 12,
  firstBlock: 4,
  endBlock: 8,
  state: 'draining',
  forwardRate: 1500,
  decodeRate: 30.5,
  cacheBytesFree: 2 ** 40,
  queueMs: 12.5,
  trainingQueueMs: 250,
  trips: [{ peerId: '12D3KooWnext', ms: 1.5 }],
  dtype: 'int8',
  version,
  addresses: ['/ip4/192.168.1.7/tcp/4000'],
  sequence: now - 1000,
  expiresAt: now + 240_000,
  requestBytes: 2 ** 30,
  serverName: 'attic',
  device: 'CPU, 8 threads',
  region: 'attic, left',
  encoderBlocks: 6
}
writeFileSync(join(folder, 'announcement.bin'), await seal(announcement, key))
const invite: Invite = {
  name: 'home',
  secret: bytes(32, 50),
  peers: ['/ip4/192.168.1.5/tcp/31330'],
  model: { identity: model, name: 'tiny' }
}
const values = {
  protocols: { ...protocols, kad: dhtProtocol },
  frames,
  seed,
  now,
  announcement,
  invite,
  inviteText: formatInvite(invite)
}
writeFileSync(join(folder, 'values.json'), `${json(values)}\n`)
copyFileSync(join(root, 'proto/swarmtune.proto'), join(folder, 'swarmtune.proto'))
console.log(`recorded ${Object.keys(frames).length} frames of ${version}`)
