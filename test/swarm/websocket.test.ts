// A client that has WebSockets only, as a browser has, generates through a server.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../../client/index.ts'
import { second } from '../../common/units.ts'
import { createNetwork } from '../../network/node.ts'
import { formatInvite, generateSecret } from '../../network/private/invite.ts'

const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')

test('a client that dials WebSockets only generates what Hugging Face does', { timeout: 120 * second }, async () => {
  const secret = generateSecret()
  const invite = formatInvite({ name: 'home', secret, peers: [] })
  await using server = await startPeer(
    ['serve', model, '--host', '127.0.0.1', '--ws-port', '0', '--no-identity', '--swarm', invite],
    {}
  )
  const [tcp, ws] = ['/tcp/', '/ws/'].map(kind => server.online.addresses.filter(text => text.includes(kind)))
  assert.equal(ws!.length, 1)
  const blind = await createNetwork({
    listen: [],
    transports: ['ws'],
    secret,
    join: tcp!.filter(text => !ws!.includes(text))
  })
  await assert.rejects(blind.start(), /no peer to join answers/)
  await blind.stop()

  await using network = await createNetwork({ listen: [], transports: ['ws'], secret, join: ws! })
  await network.start()
  await using client = await AutoDistributedModelForCausalLM.fromPretrained(model, { network })
  const { alone } = JSON.parse(readFileSync(join(root, 'test/reference/tiny-greedy.json'), 'utf8'))
  const { prompt, text } = alone[0] as { prompt: string; text: string }
  let generated = ''
  for await (const piece of client.generateStream(prompt, { maxNewTokens: 64 })) generated += piece.text
  assert.ok(text.endsWith(generated) || text === generated, `${generated} is not ${text}`)
  assert.ok(generated.length > 20)
})
