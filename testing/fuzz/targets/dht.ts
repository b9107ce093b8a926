// Messages of the Kademlia DHT (https://github.com/libp2p/specs/tree/master/kad-dht#rpc-messages) from a peer that says what it likes.

import protobuf from 'protobufjs/minimal.js'
import { createRandom } from '../../../common/random.ts'
import { second } from '../../../common/units.ts'
import { parseAddress } from '../../../network/addresses.ts'
import { modelKey, recordKey } from '../../../network/discovery/records.ts'
import { createNode, type SwarmLibp2p } from '../../../network/libp2p/node.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import { generateIdentity } from '../../../network/private/identity.ts'
import { dhtProtocol } from '../../../proto/protocols.ts'
import type { FuzzTarget } from '../target.ts'

/** One peer's quotas are soon used up: another goes on. */
const inputsPerStranger = 40
/** The server answers, or ends the stream, within this. */
const answerMs = 5 * second

const numbersOfTypes = { putValue: 0, getValue: 1, addProvider: 2, getProviders: 3, findNode: 4 }

/** A message of the DHT with its length before it. */
function encode(type: number, key: Uint8Array, fields: readonly [field: number, value: Uint8Array][] = []): Uint8Array {
  const writer = protobuf.Writer.create().uint32(0x08).int32(type).uint32(0x12).bytes(key)
  for (const [field, value] of fields) writer.uint32((field << 3) | 2).bytes(value)
  return protobuf.Writer.create().bytes(writer.finish()).finish()
}

let server: Network | undefined
let stranger: { readonly node: SwarmLibp2p; left: number } | undefined
let honest: Network | undefined
let runs = 0

async function nextStranger(): Promise<SwarmLibp2p> {
  if (stranger !== undefined && stranger.left > 0) {
    stranger.left--
    return stranger.node
  }
  await stranger?.node.stop()
  const privateKey = await generateIdentity()
  const node = await createNode({ privateKey, listen: [], announce: [], validators: {}, selectors: {} })
  await node.start()
  stranger = { node, left: inputsPerStranger - 1 }
  return node
}

/** Says the bytes and waits for an answer, or for the end of the stream. Throws where neither comes. */
async function say(node: SwarmLibp2p, bytes: Uint8Array): Promise<void> {
  const stream = await node.dialProtocol(parseAddress(server!.addresses[0]!, 'address'), dhtProtocol)
  const answered = Promise.withResolvers<void>()
  const late = setTimeout(() => answered.reject(new Error(`no answer within ${answerMs} ms`)), answerMs)
  stream.addEventListener('message', () => answered.resolve())
  stream.addEventListener('close', () => answered.resolve())
  try {
    stream.send(bytes)
    await stream.close().catch(() => {}) // the server may have reset it
    await answered.promise
  } finally {
    clearTimeout(late)
    stream.abort(new Error('said'))
  }
}

export const dhtTarget: FuzzTarget = {
  name: 'dht',
  async seeds() {
    server ??= await createNetwork({ listen: ['/ip4/127.0.0.1/tcp/0'] })
    await server.start()
    honest ??= await createNetwork({ listen: [], join: server.addresses })
    await honest.start()
    const random = createRandom(1)
    const peer = Uint8Array.from({ length: 38 }, (_, index) =>
      index < 6 ? [0, 36, 8, 1, 18, 32][index]! : random.integer(256)
    )
    const address = Uint8Array.of(4, 127, 0, 0, 1, 6, 0x7a, 0x69)
    const info = protobuf.Writer.create().uint32(0x0a).bytes(peer).uint32(0x12).bytes(address).finish()
    const key = recordKey(server.peerId)
    const record = protobuf.Writer.create().uint32(0x0a).bytes(key).uint32(0x12).bytes(peer).finish()
    const model = (await modelKey('ab'.repeat(32))).multihash.bytes
    return [
      encode(numbersOfTypes.findNode, peer, [[8, info]]),
      encode(numbersOfTypes.getProviders, model),
      encode(numbersOfTypes.addProvider, model, [[9, info]]),
      encode(numbersOfTypes.getValue, key),
      encode(numbersOfTypes.putValue, key, [[3, record]])
    ]
  },
  async run(input) {
    await say(await nextStranger(), input)
    // whatever was said, others are served
    if (++runs % inputsPerStranger === 0) await honest!.ping(server!.peerId, { signal: AbortSignal.timeout(answerMs) })
  },
  async stop() {
    await stranger?.node.stop()
    await honest?.stop()
    await server?.stop()
    server = honest = stranger = undefined
  }
}
