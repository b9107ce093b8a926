// What released builds have written stays readable, and what this build writes stays readable for them. Recorded by
// scripts/record-protocol.ts.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { RecordEnvelope } from '@libp2p/peer-record'
import protobuf from 'protobufjs'
import { float32, int64, tensor } from '../../common/tensor.ts'
import { version } from '../../common/version.ts'
import { type Announcement, open, seal } from '../../network/discovery/announcement.ts'
import { formatInvite, type Invite, parseInvite } from '../../network/private/invite.ts'
import {
  type Codec,
  decodeFrame,
  encodeFrame,
  type FrameBody,
  type NamedTensors,
  parsePrefix,
  prefixBytes
} from '../../proto/frame.ts'
import { dhtProtocol, protocols, unspokenOf } from '../../proto/protocols.ts'

const root = join(import.meta.dirname, '../..')
const released = join(import.meta.dirname, 'released')

interface RecordedTensor {
  readonly dtype: 'float32' | 'int64' | 'int32'
  readonly shape: readonly number[]
  readonly data: readonly number[]
}

interface Values {
  readonly protocols: Readonly<Record<string, string>>
  readonly frames: Readonly<
    Record<string, { codec: Codec; body: FrameBody; tensors: Readonly<Record<string, RecordedTensor>> }>
  >
  readonly seed: Uint8Array
  readonly now: number
  readonly announcement: Announcement
  readonly invite: Invite
  readonly inviteText: string
}

function readValues(folder: string): Values {
  const revive = (_: string, value: unknown): unknown => {
    const { bytes } = (value ?? {}) as { bytes?: unknown }
    return typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes, 'hex')) : value
  }
  return JSON.parse(readFileSync(join(folder, 'values.json'), 'utf8'), revive) as Values
}

const tensorOf = ({ dtype, shape, data }: RecordedTensor) => {
  if (dtype === 'float32') return float32(shape, data)
  return dtype === 'int64' ? int64(shape, data) : tensor('int32', shape, Int32Array.from(data))
}

const read = (path: string): Uint8Array => new Uint8Array(readFileSync(path))

/** `expected`, with what is a plain object or array in it compared field by field: a later build may give more fields. */
function includes(found: unknown, expected: unknown, path: string): void {
  if (expected === null || typeof expected !== 'object' || ArrayBuffer.isView(expected)) {
    assert.deepEqual(found, expected, path)
  } else if (Array.isArray(expected)) {
    assert.equal((found as unknown[]).length, expected.length, path)
    for (const [index, entry] of expected.entries()) includes((found as unknown[])[index], entry, `${path}[${index}]`)
  } else {
    for (const [key, entry] of Object.entries(expected))
      includes((found as Record<string, unknown>)[key], entry, `${path}.${key}`)
  }
}

/** Fields and values of all messages and enums of a schema: `Frame.tensors = 1 TensorHeader repeated`. */
function numbered(schema: protobuf.Root): Map<string, string> {
  const found = new Map<string, string>()
  const visit = (space: protobuf.NamespaceBase): void => {
    for (const entry of space.nestedArray) {
      if (entry instanceof protobuf.Enum) {
        for (const [name, id] of Object.entries(entry.values)) found.set(`${entry.name}.${name}`, String(id))
      } else if (entry instanceof protobuf.Type) {
        for (const field of entry.fieldsArray)
          found.set(`${entry.name}.${field.name}`, `${field.id} ${field.type}${field.repeated ? ' repeated' : ''}`)
      }
      if (entry instanceof protobuf.Namespace) visit(entry)
    }
  }
  visit(schema)
  return found
}

const schemaOf = (path: string): protobuf.Root => protobuf.parse(readFileSync(path, 'utf8'), { keepCase: true }).root

test('the protocol of this release is recorded', () => {
  assert.ok(readdirSync(released).includes(version), 'run: node scripts/record-protocol.ts')
  const { frames } = readValues(join(released, version))
  const fields = schemaOf(join(root, 'proto/swarmtune.proto')).lookupType('Frame').oneofs.body!.oneof
  const kinds = fields.map(name => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()))
  assert.deepEqual(
    kinds.filter(kind => !(kind in frames)),
    [],
    'run: node scripts/record-protocol.ts --again'
  )
})

for (const release of readdirSync(released)) {
  const folder = join(released, release)
  const values = readValues(folder)
  const names = Object.keys(values.frames)

  describe(`release ${release}`, () => {
    test('its frames are read as what it wrote', () => {
      for (const name of names) {
        const { body, tensors } = values.frames[name]!
        const found = decodeFrame(read(join(folder, `${name}.frame.bin`)))
        includes(found.body, body, name)
        assert.deepEqual(Object.keys(found.tensors).sort(), Object.keys(tensors).sort(), name)
        for (const [key, expected] of Object.entries(tensors)) {
          const { dtype, shape, data } = found.tensors[key]!
          assert.deepEqual({ dtype, shape, data: Array.from(data, Number) }, expected, `${name} ${key}`)
        }
      }
    })

    test('what this build writes is what it reads: the same bytes for the same values', () => {
      const schema = schemaOf(join(folder, 'swarmtune.proto')).lookupType('Frame')
      for (const name of names) {
        const { body, codec, tensors } = values.frames[name]!
        const named = Object.fromEntries(Object.entries(tensors).map(([key, value]) => [key, tensorOf(value)]))
        const { head, payload } = encodeFrame({ body, tensors: named as NamedTensors }, codec)
        const recorded = read(join(folder, `${name}.frame.bin`))
        assert.deepEqual(new Uint8Array(Buffer.concat([head, ...payload])), recorded, name)
        // and by the schema of that release, which a reader that is not ours follows
        const { headerBytes } = parsePrefix(head)
        const theirs = schema.decode(head.subarray(prefixBytes, prefixBytes + headerBytes)) as unknown as {
          body: string
        }
        const field = theirs.body.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
        assert.equal(field, body.kind)
      }
    })

    test('no field or value of its messages has another number or type today', () => {
      const today = numbered(schemaOf(join(root, 'proto/swarmtune.proto')))
      const then = numbered(schemaOf(join(folder, 'swarmtune.proto')))
      assert.ok(then.size > 100)
      const changed = [...then].filter(([name, what]) => today.get(name) !== what)
      assert.deepEqual(changed, [], 'a message that changes so needs a new protocol id')
      // and no new one has a number that is taken
      const numbers = [...today].map(([name, what]) => `${name.split('.')[0]} ${what.split(' ')[0]}`)
      assert.equal(new Set(numbers).size, numbers.length)
    })

    test('its announcements and invites are read, and ours are as it reads them', async () => {
      const record = read(join(folder, 'announcement.bin'))
      includes(await open(record, values.now), values.announcement, 'announcement')
      const key = await generateKeyPairFromSeed('Ed25519', values.seed)
      assert.deepEqual(await seal(values.announcement, key), record)
      assert.equal(
        Buffer.from(RecordEnvelope.createFromProtobuf(record).payloadType).toString(),
        '/swarmtune/announcement/1'
      )
      assert.deepEqual(parseInvite(values.inviteText), values.invite)
      assert.equal(formatInvite(values.invite), values.inviteText)
    })

    test('this build speaks its protocols, or says which version it speaks instead', () => {
      const today: Readonly<Record<string, string>> = { ...protocols, kad: dhtProtocol }
      for (const [name, id] of Object.entries(values.protocols)) {
        assert.ok(name in today, `${id}: a protocol that is gone must be refused by name`)
        if (release === '0.1.0' && name in protocols) {
          // a server of this release announces no versions: that must mean these
          const differs = today[name] !== id
          assert.equal(unspokenOf([name as keyof typeof protocols]).length > 0, differs, name)
        }
      }
    })
  })
}
