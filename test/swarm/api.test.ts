// The API as its users run it: processes of their own, killed, restarted and stopped in the middle of answers.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { type OnlineProcess, startOnline, startPeer } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../../client/index.ts'
import { second } from '../../common/units.ts'
import { openStore } from '../../gateway/storage/store.ts'
import { tinyPath } from '../../testing/references.ts'
import { until } from '../../testing/swarm.ts'
import { temporaryFolder } from '../model/support.ts'

interface ApiOnline {
  readonly event: 'online'
  readonly url: string
  readonly models: readonly string[]
  readonly auth: 'none' | 'keys'
}

type Api = OnlineProcess<ApiOnline>

const prompt = 'It was a dark'

function post(api: Api, body: object, key?: string): Promise<Response> {
  return fetch(`${api.online.url}/v1/completions`, {
    method: 'POST',
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'tiny', prompt, temperature: 0, ...body })
  })
}

/** A streamed answer, read piece by piece. */
async function openStream(api: Api, maxTokens: number) {
  const answer = await post(api, { stream: true, max_tokens: maxTokens })
  assert.equal(answer.status, 200)
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let raw = ''
  const next = async (): Promise<boolean> => {
    const { done, value } = await reader.read()
    raw += value ?? ''
    return !done
  }
  await next()
  return {
    async rest(): Promise<{ text: string; errors: string[]; isDone: boolean }> {
      while (await next());
      const data = [...raw.matchAll(/^data: (.*)$/gm)].map(match => match[1]!)
      const objects = data.filter(each => each !== '[DONE]').map(each => JSON.parse(each))
      return {
        text: objects.map(each => each.choices?.[0]?.text ?? '').join(''),
        errors: objects.flatMap(({ error }) => (error === undefined ? [] : [error.message])),
        isDone: data.at(-1) === '[DONE]'
      }
    }
  }
}

/** Process ids of the servers that a process has started. */
function serversOf(pid: number): number[] {
  const list = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
  const rows = list
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/))
  return rows.flatMap(([child, parent, ...args]) =>
    Number(parent) === pid && args.includes('serve') ? [Number(child)] : []
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const gone = async ({ process: child }: OnlineProcess<unknown>): Promise<unknown> =>
  child.exitCode ?? child.signalCode ?? (await once(child, 'exit'))

test('the API over servers that die, with keys, restarts, a second gateway and stops', {
  timeout: 240 * second,
  skip: process.platform === 'win32' && 'its signals are those of POSIX'
}, async context => {
  const home = await temporaryFolder(context)
  const env = { SWARM_HOME: home, SWARM_JOIN: '', SWARM_INVITE: '' }
  const serve = (blocks: string, joining: readonly string[] = []) =>
    startPeer(
      ['serve', tinyPath, '--blocks', blocks, '--host', '127.0.0.1', '--no-identity', '--no-mdns', ...joining],
      { env }
    )
  const first = await serve('0-6')
  const joining = ['--join', first.address]
  const [second_, spare] = await Promise.all([serve('6-12', joining), serve('6-12', joining)])
  context.after(() => Promise.all([first, second_, spare].map(server => server.stop())))
  const startApi = (...args: string[]) =>
    startOnline<ApiOnline>(['api', tinyPath, '--port', '0', '--no-mdns', ...joining, ...args], { env })

  // what the SDK answers is what the API must answer, whatever happens to it
  const model = await AutoDistributedModelForCausalLM.fromPretrained(tinyPath, {
    initialPeers: [first.address],
    home: null
  })
  const [row] = await model.generate(prompt, { maxNewTokens: 300 })
  const length = model.tokenizer.encode(prompt).length
  const expected = (tokens: number) => model.tokenizer.decode(row!.slice(length, length + tokens))
  await model.close()

  let api = await startApi()
  context.after(() => api.stop())
  assert.deepEqual([api.online.models, api.online.auth], [['tiny'], 'none'])

  await context.test('a second gateway on the same home is refused, and names the first', async () => {
    await assert.rejects(
      startApi(),
      new RegExp(`another gateway uses this home folder \\(process ${api.process.pid}, ${api.online.url}\\)`)
    )
  })

  await context.test('a server that is killed in the middle of an answer changes nothing in it', async () => {
    const stream = await openStream(api, 300)
    second_.process.kill('SIGKILL')
    assert.deepEqual(await stream.rest(), { text: expected(300), errors: [], isDone: true })
  })

  await context.test('SIGTERM lets the running answer end, and the process ends with its status', async () => {
    const stream = await openStream(api, 100)
    api.process.kill('SIGTERM')
    assert.deepEqual(await stream.rest(), { text: expected(100), errors: [], isDone: true })
    await gone(api)
    assert.equal(api.process.exitCode, 143)
  })

  await context.test('keys outlive restarts; one made or revoked meanwhile counts at once', async () => {
    const store = await openStore(home)
    const { key } = store.keys.create({ name: 'lab' })
    api = await startApi('--auth')
    assert.equal(api.online.auth, 'keys')
    assert.equal((await post(api, { max_tokens: 2 })).status, 401)
    assert.equal((await post(api, { max_tokens: 2 }, key)).status, 200)
    const other = store.keys.create({ name: 'other' })
    assert.equal((await post(api, { max_tokens: 2 }, other.key)).status, 200)
    store.keys.revoke('lab')
    assert.equal((await post(api, { max_tokens: 2 }, key)).status, 401)
    const own = store.requests.usage().find(({ keyId }) => keyId === other.record.id)
    assert.deepEqual([own?.requests, own?.completionTokens], [1, 2])
    store.close()
  })

  await context.test('a gateway that is killed while it answers leaves nothing locked or lost', async () => {
    const store = await openStore(home)
    const { key } = store.keys.create({ name: 'third' })
    const answer = await post(api, { stream: true, max_tokens: 300 }, key)
    await answer.body!.getReader().read()
    api.process.kill('SIGKILL')
    await gone(api)
    api = await startApi()
    const done = await post(api, { max_tokens: 5 })
    assert.equal(JSON.parse(await done.text()).choices[0].text, expected(5))
    assert.deepEqual(
      store.keys.list().map(({ name }) => name),
      ['lab', 'other', 'third']
    )
    store.close()
  })

  await context.test('without servers for some blocks it is not ready, and answers 503', async () => {
    spare.process.kill('SIGKILL')
    await gone(spare)
    const answer = await post(api, { max_tokens: 5 })
    assert.equal(answer.status, 503)
    const { error } = JSON.parse(await answer.text())
    assert.deepEqual([error.code, error.type], ['blocks_unavailable', 'service_unavailable_error'])
    assert.notEqual(answer.headers.get('retry-after'), null)
  })
})

test('swarm up: servers, API and page of one process, all of which end with it', {
  timeout: 120 * second,
  skip: process.platform === 'win32' && 'its signals are those of POSIX'
}, async context => {
  const home = await temporaryFolder(context)
  const events: string[] = []
  const options = { env: { SWARM_HOME: home }, onEvent: (event: string) => void events.push(event) }
  const args = ['up', tinyPath, '--port', '0']
  const up = await startOnline<ApiOnline>(args, options)
  context.after(() => up.stop())
  const answer = await post(up, { max_tokens: 5 })
  assert.equal(answer.status, 200)
  const page = await fetch(up.online.url, { headers: { accept: 'text/html' } })
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/)

  // its servers end with it, however it ends
  const servers = serversOf(up.process.pid!)
  assert.equal(servers.length, 2)
  await assert.rejects(startOnline(args, options), /another gateway uses this home folder/)
  process.kill(servers[0]!, 'SIGKILL')
  await until(() => events.includes('serverEnded'))
  up.process.kill('SIGKILL')
  await gone(up)
  await until(() => !servers.some(isRunning))
  const again = await startOnline<ApiOnline>(args, options)
  assert.equal((await post(again, { max_tokens: 5 })).status, 200)
  const others = serversOf(again.process.pid!)
  again.process.kill('SIGINT')
  await gone(again)
  assert.equal(again.process.exitCode, 130)
  assert.deepEqual(others.filter(isRunning), [])
})
