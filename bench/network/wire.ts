// What does a codec of hidden states cost a generation in accuracy, and what does it save on the wire? Each codec against fp32 through three
// servers: the largest difference of a logit over prompts, greedy tokens, bytes that the client sends and gets for a token.
//   node bench/network/wire.ts models/tiny [tokens=64]
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, type Codec } from '../../client/index.ts'
import { createNetwork } from '../../network/node.ts'
import { codecNames } from '../../proto/codec.ts'
import { layFrame } from '../../proto/frame.ts'

const [folder = 'models/tiny', ...rest] = process.argv.slice(2)
const [newTokens = 64] = rest.map(Number)
const model = resolve(folder)
/** texts that nothing was trained on */
const prompts = readFileSync(new URL('../held-out.txt', import.meta.url), 'utf8')
  .match(/.{1,600}\b/gs)!
  .slice(0, 30)

interface Result {
  readonly logits: Float32Array[]
  readonly tokens: number[][]
  readonly bytesPerToken: number
}

const peers: PeerProcess[] = []

async function run(codec: Codec): Promise<Result> {
  await using network = await createNetwork({ listen: [], join: [peers[0]!.address] })
  await network.start()
  let bytes = 0
  let counts = false
  const { open } = network
  // whole frames of the session's streams, there and back
  network.open = async (...given) => {
    const stream = await open.apply(network, given)
    const { send, receive } = stream
    stream.send = (message, options) => {
      const { head, payloadBytes } = layFrame(message, options?.codec)
      if (counts) bytes += head.length + payloadBytes
      return send.call(stream, message, options)
    }
    stream.receive = async options => {
      const message = await receive.call(stream, options)
      if (counts && message !== null) {
        const { head, payloadBytes } = layFrame(message, { hidden: codec })
        bytes += head.length + payloadBytes
      }
      return message
    }
    return stream
  }
  await using client = await AutoDistributedModelForCausalLM.fromPretrained(model, { network, codec })
  const result = { logits: [] as Float32Array[], tokens: [] as number[][] }
  let decoded = 0
  for (const prompt of prompts) {
    const ids = client.tokenizer.encode(prompt).slice(0, 256)
    result.logits.push((await client.forward({ inputIds: [ids] }, { training: false, logits: true })).logits!.data)
    const tokens: number[] = []
    counts = false
    for await (const { token } of client.generateStream(ids.slice(0, 32), { maxNewTokens: newTokens })) {
      tokens.push(token!)
      if (counts) decoded += 1
      counts = true
    }
    counts = false
    result.tokens.push(tokens)
  }
  return { ...result, bytesPerToken: bytes / decoded }
}

/** Tokens until the first other one, of all. */
function agreement(found: Result, exact: Result): { rows: number; tokens: number } {
  let [rows, same, all] = [0, 0, 0]
  for (const [index, tokens] of exact.tokens.entries()) {
    const other = tokens.findIndex((token, at) => token !== found.tokens[index]![at])
    rows += other === -1 ? 1 : 0
    same += other === -1 ? tokens.length : other
    all += tokens.length
  }
  return { rows, tokens: same / all }
}

try {
  for (const blocks of ['0-4', '4-8', '8-12']) {
    const join = peers.length === 0 ? [] : ['--join', peers[0]!.address]
    peers.push(await startPeer(['serve', model, '--blocks', blocks, '--dtype', 'fp32', ...join, '--host', '127.0.0.1']))
  }
  const exact = await run('fp32')
  for (const codec of codecNames) {
    const found = codec === 'fp32' ? exact : await run(codec)
    let [difference, largest] = [0, 0]
    for (const [index, logits] of exact.logits.entries()) {
      for (const [at, logit] of logits.entries()) {
        difference = Math.max(difference, Math.abs(logit - found.logits[index]![at]!))
        largest = Math.max(largest, Math.abs(logit))
      }
    }
    const { rows, tokens } = agreement(found, exact)
    console.log(
      `${codec}: logits differ by ${difference.toPrecision(2)} at most (of ${largest.toFixed(1)}); ${rows} of ${prompts.length} texts of ` +
        `${newTokens} tokens are the same, ${(100 * tokens).toFixed(1)} % of tokens before the first other; ` +
        `${Math.round(found.bytesPerToken)} bytes a token at the client`
    )
  }
} finally {
  await Promise.all(peers.map(peer => peer.stop()))
}
