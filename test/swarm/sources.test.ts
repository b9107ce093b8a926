// Models that are not a folder on this machine: servers and clients that take them from a hub, from each other, or a GGUF file.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { startFakeHub, storeCertificatePath } from '../model/hub/fake-hub.ts'
import { referencePath, temporaryFolder, tinyPath } from '../model/support.ts'

const run = promisify(execFile)
const bin = join(import.meta.dirname, '../../cli/bin.js')
const reference = JSON.parse(readFileSync(referencePath('tiny-greedy.json'), 'utf8')) as {
  alone: { prompt: string; text: string }[]
}
const halves = [
  { first: 0, end: 6 },
  { first: 6, end: 12 }
]

interface Environment {
  readonly [name: string]: string
}

/** What the swarm makes of the first prompt of the reference; greedy, so that it must be the reference's text. */
async function generated(model: string, servers: readonly PeerProcess[], env: Environment, ...args: string[]) {
  const { prompt } = reference.alone[0]!
  const flags = ['--join', servers[0]!.address, '--max-new-tokens', '24', ...args]
  const options = { env: { ...process.env, ...env }, timeout: 60 * second }
  const { stdout } = await run(process.execPath, [bin, 'generate', model, prompt, ...flags], options)
  return stdout.trim()
}

/** The output may begin with the prompt. */
function assertContinues(output: string): void {
  const { prompt, text } = reference.alone[0]!
  const found = output.startsWith(prompt) ? output.slice(prompt.length) : output
  assert.ok(found.length > 20 && text.trim().startsWith(found.trim()), `found: ${output}`)
}

const stopAll = (servers: readonly PeerProcess[]) => Promise.all(servers.map(server => server.stop()))

describe('a swarm of processes without model folders', { timeout: 240 * second }, () => {
  test('by a name of the hub: each fetches its own part, and the hub is not needed again', async context => {
    const hub = await startFakeHub(context, tinyPath)
    const env = {
      HF_ENDPOINT: hub.endpoint,
      HF_HOME: await temporaryFolder(context),
      HF_TOKEN: '',
      NODE_EXTRA_CA_CERTS: storeCertificatePath
    }
    const { size } = await stat(join(tinyPath, 'model.safetensors'))
    const servers = await startServers('acme/tiny', halves.slice(0, 1), { env })
    try {
      const sent = hub.sent.get('model.safetensors')!
      assert.ok(sent < 0.6 * size, `${sent} bytes of ${size} for half of the blocks`)
    } finally {
      await stopAll(servers)
    }
    const all = await startServers('acme/tiny', halves, { env })
    try {
      assertContinues(await generated('acme/tiny', all, env))
      await hub.stop()
      assertContinues(await generated('acme/tiny', all, env, '--offline'))
    } finally {
      await stopAll(all)
    }
  })

  test('from peers: a server and a client that have nothing but a name', async context => {
    const home = await temporaryFolder(context)
    const env = { SWARM_HOME: home, HF_ENDPOINT: 'http://127.0.0.1:1' }
    const first = await startServers(tinyPath, [{ first: 0, end: 12 }], { env })
    const join_ = ['--join', first[0]!.address, '--from-peers']
    const second = await startServers('tiny', halves.slice(1), { env, args: join_ }).catch(async error => {
      await stopAll(first)
      throw error
    })
    try {
      assertContinues(await generated('tiny', second, env, '--from-peers'))
      const [identity] = await readdir(join(home, 'peers'))
      assert.match(identity!, /^[0-9a-f]{64}$/)
    } finally {
      await stopAll([...second, ...first])
    }
  })

  test('from a GGUF file, with its own tokenizer', async context => {
    const path = referencePath('gguf/blocks.gguf')
    const env = { SWARM_HOME: await temporaryFolder(context) }
    const servers = await startServers(path, [{ first: 0, end: 1 }], { env })
    try {
      const flags = ['--join', servers[0]!.address, '--max-new-tokens', '8']
      const options = { env: { ...process.env, ...env }, timeout: 60 * second }
      const { stdout } = await run(process.execPath, [bin, 'generate', path, 'the swarm', ...flags], options)
      assert.ok(stdout.trim().length > 0)
    } finally {
      await stopAll(servers)
    }
  })

  test('two servers that convert the same model at the same moment', async context => {
    const home = await temporaryFolder(context)
    const env = { SWARM_HOME: home }
    const path = referencePath('gguf/blocks.gguf')
    const apart = await Promise.allSettled([1, 2].map(() => startServers(path, [{ first: 0, end: 1 }], { env })))
    const servers = apart.flatMap(started => (started.status === 'fulfilled' ? started.value : []))
    try {
      assert.equal(servers.length, 2)
      const [identity, ...others] = await readdir(join(home, 'cache'))
      assert.deepEqual(others, [])
      const files = await readdir(join(home, 'cache', identity!))
      assert.deepEqual(
        files.map(file => file.replace(/\.[0-9a-f]{8}\./, '.')),
        ['block-000.float32.safetensors']
      )
      const texts = await Promise.all(
        servers.map(async ({ address }) => {
          const flags = ['generate', path, 'the swarm', '--join', address, '--max-new-tokens', '8']
          const options = { env: { ...process.env, ...env }, timeout: 60 * second }
          return (await run(process.execPath, [bin, ...flags], options)).stdout
        })
      )
      assert.ok(texts[0]!.trim().length > 0)
      assert.equal(texts[0], texts[1])
    } finally {
      await stopAll(servers)
    }
  })
})
