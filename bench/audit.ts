// Measures how many lies audits find, and which honest servers they accuse. Uses real servers; one changes its answers.
//   node bench/audit.ts [folder=models/tiny] [lies=30]
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { hiddenDeviation } from '../client/audit/deviation.ts'
import { precisionOf, toleranceOf } from '../client/audit/tolerance.ts'
import { AutoDistributedModelForCausalLM, getPeftModel } from '../client/index.ts'
import { requestForward } from '../client/remote/passes/span-request.ts'
import { silent } from '../common/logger.ts'
import { createRandom } from '../common/random.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import type { Precision } from '../model/quantize/precision.ts'
import { createNetwork } from '../network/node.ts'
import type { Codec } from '../proto/frame.ts'
import { createServer, type ServerInit } from '../server/server.ts'
import { bitFlip, createLyingServer, echo, noise, type ServerLie } from '../testing/lying-server.ts'

const [folder = 'models/tiny', count = '30'] = process.argv.slice(2)
const path = resolve(folder)
const checkpoint = await openCheckpoint(path)
const { numBlocks } = checkpoint.config
const text = await readFile(new URL('./held-out.txt', import.meta.url), 'utf8')
const random = createRandom(1)

const initOf = (dtype: Precision, [first, end]: readonly [number, number], peers: readonly string[]): ServerInit => ({
  checkpoint,
  blocks: { first, end },
  dtype,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  join: peers,
  cacheDir: join(tmpdir(), 'swarmtune-bench-cache'),
  storage: 'mapped',
  threads: 2
})

/** Everything of honest servers audited: passes with LoRA and generations. */
async function honest(one: Precision, other: Precision, codec: Codec): Promise<void> {
  const half = numBlocks >> 1
  const first = await createServer(initOf(one, [0, half], []))
  await first.start()
  const peers = first.addresses.slice(0, 1)
  const others = [
    await createServer(initOf(one, [half, numBlocks], peers)),
    await createServer(initOf(other, [0, numBlocks], peers))
  ]
  for (const server of others) await server.start()
  let worst = 0
  const noted = (fields: object): void => {
    worst = Math.max(worst, (fields as { deviation?: number }).deviation ?? 0)
  }
  const logger = { ...silent, warn: noted, error: noted }
  const audit = { probability: 1 }
  const model = await AutoDistributedModelForCausalLM.fromPretrained(path, {
    initialPeers: peers,
    codec,
    audit,
    logger
  })
  const tuned = await getPeftModel(model, {
    peftType: 'LORA',
    r: 8,
    loraAlpha: 16,
    targetModules: ['q_proj', 'v_proj'],
    initLoraWeights: 'gaussian'
  })
  const ids = model.tokenizer.encode(text, { addSpecialTokens: false })
  for (let round = 0; round < 6; round++) {
    const at = Math.floor(random.uniform() * (ids.length - 64))
    await model.generate(ids.slice(at, at + 24), { maxNewTokens: 12 })
    const rows = [ids.slice(at, at + 48), ids.slice(at + 16, at + 64)]
    const { loss } = await tuned.forward({ inputIds: rows, labels: rows }, { training: true })
    await loss.backward()
  }
  const { audits, agreed, undecided, worstAgreed, lies, suspected } = (await model.audits())!
  const wrong = undecided + lies.length + suspected.length
  const row = [one, other, codec, audits, agreed, wrong, Math.max(worst, worstAgreed).toPrecision(2)]
  console.log(`| ${row.join(' | ')} |`)
  await model.close()
  await Promise.all([first, ...others].map(server => server.stop()))
}

/** Share of lies that one comparison with an honest server finds. */
async function found(
  claims: Precision,
  other: Precision,
  codec: Codec,
  lies: Record<string, ServerLie>
): Promise<void> {
  const range = [0, numBlocks] as const
  const server = await createServer(initOf(other, range, []))
  await server.start()
  const peers = server.addresses.slice(0, 1)
  const liar = await createLyingServer(initOf(claims, range, peers), null)
  await liar.server.start()
  const network = await createNetwork({ listen: [], join: peers })
  await network.start()
  const model = await AutoDistributedModelForCausalLM.fromPretrained(path, { network })
  const ids = model.tokenizer.encode(text, { addSpecialTokens: false })
  const addresses = new Map([server, liar.server].map(each => [each.peerId, each.addresses]))
  const caller = {
    network,
    model: checkpoint.identity,
    codecs: { activations: codec, gradients: codec },
    timeoutMs: 60_000,
    addressesOf: (peerId: string) => addresses.get(peerId)!
  }
  const request = { ports: {}, dropout: null, keepResiduals: false }
  const blocks = { first: 0, end: numBlocks }
  const tolerance = toleranceOf({ precisions: [claims, other].map(precisionOf), codec, hops: 1, decoded: false })
  const shares: string[] = []
  for (const lie of Object.values(lies)) {
    let caught = 0
    for (let trial = 0; trial < Number(count); trial++) {
      const at = Math.floor(random.uniform() * (ids.length - 32))
      const input = model.parts.embeddings.rows(ids.slice(at, at + 32))
      const hidden = { ...input, shape: [1, ...input.shape] }
      liar.tell(lie)
      const claimed = (await requestForward(caller, { peerId: liar.server.peerId, blocks }, hidden, request)).hidden
      const reference = (await requestForward(caller, { peerId: server.peerId, blocks }, hidden, request)).hidden
      if (hiddenDeviation({ claimed, reference, input: hidden }, tolerance) > 1) caught += 1
    }
    shares.push((caught / Number(count)).toFixed(2))
  }
  console.log(`| ${claims} | ${other} | ${codec} | ${shares.join(' | ')} |`)
  await model.close()
  await network.stop()
  await Promise.all([liar.server.stop(), server.stop()])
}

console.log('honest: every pass and session audited\n')
console.log(
  '| two servers | third | codec | audits | agreed | wrongly doubted | largest deviation (1 = tolerated) |\n|---|---|---|---|---|---|---|'
)
for (const codec of ['fp32', 'fp16', 'bf16', 'int8'] as const) await honest('float32', 'float32', codec)
for (const codec of ['fp32', 'fp16'] as const) await honest('int8', 'int8', codec)
await honest('int4', 'int4', 'fp32')
await honest('float32', 'int8', 'fp32')
await honest('float32', 'int4', 'fp32')
await honest('float32', 'int4', 'int8')

const normal = (): number => random.normal()
const anywhere = (size: number): number => Math.floor(random.uniform() * size)
const lies: Record<string, ServerLie> = {
  ...Object.fromEntries([1e-4, 1e-3, 1e-2, 0.1, 0.5].map(share => [`noise ${share}`, noise(share, normal)])),
  ...Object.fromEntries([31, 30, 26, 23, 16].map(bit => [`bit ${bit}`, bitFlip(bit, anywhere)])),
  'its input': echo
}
console.log(
  `\nlies found by one comparison, ${count} each; noise as a share of the result's length, one bit of one element\n`
)
console.log(`| liar says it holds | compared with | codec | ${Object.keys(lies).join(' | ')} |`)
console.log(
  `|---|---|---|${Object.keys(lies)
    .map(() => '---|')
    .join('')}`
)
await found('float32', 'float32', 'fp32', lies)
await found('float32', 'float32', 'int8', lies)
await found('int8', 'float32', 'fp32', lies)
await found('int4', 'float32', 'fp32', lies)
