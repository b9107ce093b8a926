// Fine-tuning jobs of a gateway that is a process of its own: killed in the middle, without its servers, on a disk that is full.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import OpenAI, { type APIError, toFile } from 'openai'
import { type PeerProcess, startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { tinyPath } from '../../testing/references.ts'
import { temporaryFolder } from '../model/support.ts'

const bin = join(import.meta.dirname, '../../cli/bin.js')
const isRoot = process.getuid?.() === 0 && process.platform === 'linux'

interface ApiProcess {
  readonly process: ChildProcess
  readonly client: OpenAI
  readonly log: () => string
  kill(signal: NodeJS.Signals): Promise<void>
}

const peft = { peft_type: 'LORA', r: 2, target_modules: ['q_proj', 'v_proj'] }
const training = { peft, max_steps: 12, per_device_train_batch_size: 2, save_steps: 3 }
type Body = OpenAI.FineTuning.JobCreateParams & { swarmtune?: object }
type Job = OpenAI.FineTuning.FineTuningJob & { swarmtune: { step: number } }

describe('fine-tuning jobs of a gateway in its own process', { timeout: 240 * second }, () => {
  let servers: PeerProcess[]
  let folder: string
  let cleanup: () => Promise<void>
  /** bytes of the adapter of a run that nothing interrupted */
  let expected: Buffer

  before(async () => {
    const undo: (() => Promise<void>)[] = []
    folder = await temporaryFolder({ after: (work: () => Promise<void>) => void undo.push(work) } as never)
    cleanup = async () => {
      for (const work of undo) await work()
    }
    servers = await startServers(tinyPath, [
      { first: 0, end: 6 },
      { first: 6, end: 12 }
    ])
  })
  after(async () => {
    await Promise.all((servers ?? []).map(server => server.stop()))
    await cleanup?.()
  })

  /** Runs `swarm api` over this home folder. */
  async function startApi(home: string): Promise<ApiProcess> {
    const args = ['api', tinyPath, '--join', servers[0]!.address, '--port', '0', '--json', '--until-eof']
    const child = spawn(process.execPath, [bin, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, SWARM_HOME: home }
    })
    let log = ''
    child.stderr.on('data', chunk => {
      log += chunk
    })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    createInterface({ input: child.stdout }).on('line', line => {
      const event = JSON.parse(line) as { event: string; url: string }
      if (event.event === 'online') resolve(event.url)
    })
    const gone = once(child, 'exit')
    gone.then(() => reject(new Error(`swarm api ended: ${log}`)), reject)
    const url = await promise
    return {
      process: child,
      client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }),
      log: () => log,
      async kill(signal) {
        child.kill(signal)
        await gone
      }
    }
  }

  const read = async ({ client }: ApiProcess, id: string) => (await client.fineTuning.jobs.retrieve(id)) as Job
  async function start({ client }: ApiProcess): Promise<string> {
    const text = (await readFile('data/capitals.jsonl', 'utf8')).split('\n').slice(0, 12).join('\n')
    const sent = await client.files.create({
      file: await toFile(Buffer.from(text), 'capitals.jsonl'),
      purpose: 'fine-tune'
    })
    const body: Body = { model: 'tiny', training_file: sent.id, seed: 5, swarmtune: training }
    return (await client.fineTuning.jobs.create(body)).id
  }
  /** The job once the stream of its metrics shows one that fits. */
  async function seen({ client }: ApiProcess, id: string, fits: (job: Job) => boolean): Promise<Job> {
    const answer = await fetch(`${client.baseURL}/fine_tuning/jobs/${id}/metrics?stream=true`)
    let text = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const data = /^event: job\ndata: (.*)$/m.exec(block)?.[1]
        if (data === undefined) continue
        const job = JSON.parse(data) as Job
        if (fits(job)) return job
      }
    }
    return assert.fail(`the stream of job ${id} ended before`)
  }
  const ended = ({ status }: Job): boolean => ['succeeded', 'failed', 'cancelled'].includes(status)
  async function adapterOf({ client }: ApiProcess, id: string): Promise<Buffer> {
    const answer = await fetch(`${client.baseURL}/fine_tuning/jobs/${id}/adapter/adapter_model.safetensors`)
    assert.equal(answer.status, 200)
    return Buffer.from(await answer.arrayBuffer())
  }

  test('a job whose gateway is killed goes on in the next one, to the same bytes, and is served there', async () => {
    const home = join(folder, 'killed')
    await mkdir(home)
    const first = await startApi(home)
    const whole = await start(first)
    assert.equal((await seen(first, whole, ended)).status, 'succeeded', first.log())
    expected = await adapterOf(first, whole)
    const id = await start(first)
    const { swarmtune } = await seen(first, id, job => job.swarmtune.step >= 5)
    await first.kill('SIGKILL')
    assert.ok(swarmtune.step < 12)
    const next = await startApi(home)
    try {
      const job = await seen(next, id, ended)
      assert.equal(job.status, 'succeeded', next.log())
      const { data: events } = await next.client.fineTuning.jobs.listEvents(id, { limit: 100 })
      assert.ok(events.some(({ message }) => /^Resumed from the checkpoint of step [36] of 12$/.test(message)))
      assert.deepEqual(await adapterOf(next, id), expected)
      const models = (await next.client.models.list()).data.map(model => model.id)
      assert.deepEqual(models, ['tiny', (await read(next, whole)).fine_tuned_model, job.fine_tuned_model])
    } finally {
      await next.kill('SIGTERM')
    }
  })

  test('a job that loses its servers is paused with what to do, and goes on once they are back', async () => {
    const home = join(folder, 'alone')
    await mkdir(home)
    const api = await startApi(home)
    try {
      const id = await start(api)
      await seen(api, id, job => job.swarmtune.step >= 4)
      const lost = servers[1]!
      lost.process.kill('SIGKILL')
      const paused = await seen(api, id, ({ status }) => (status as string) === 'paused')
      assert.equal(paused.error?.code, 'blocks_unavailable')
      assert.match(paused.error!.message, /block/)
      const [server] = await startServers(tinyPath, [{ first: 6, end: 12 }], { args: ['--join', servers[0]!.address] })
      servers[1] = server!
      await api.client.fineTuning.jobs.resume(id)
      assert.equal((await seen(api, id, ended)).status, 'succeeded', api.log())
      assert.deepEqual(await adapterOf(api, id), expected)
    } finally {
      await api.kill('SIGTERM')
    }
  })

  test('a full disk fails the job and the uploads, loses nothing, and both go on with room', {
    skip: !isRoot && 'mounting a small disk needs root'
  }, async () => {
    const home = join(folder, 'full')
    await mkdir(home)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', home])
    let api: ApiProcess | undefined
    try {
      api = await startApi(home)
      const id = await start(api)
      await seen(api, id, job => job.swarmtune.step >= 1)
      const filler = join(home, 'filler')
      await writeFile(filler, new Uint8Array(24 << 20)).catch(() => {}) // as much as there is room for
      const failed = await seen(api, id, ended)
      assert.equal(failed.status, 'failed')
      assert.equal(failed.error?.code, 'disk_full')
      assert.match(
        failed.error!.message,
        /no room left.*Free some space on the disk of the gateway, then resume the job/
      )
      const large = await toFile(new Uint8Array(1 << 20), 'a.jsonl')
      await assert.rejects(api.client.files.create({ file: large, purpose: 'fine-tune' }), (error: APIError) => {
        assert.match(error.message, /no room/)
        return error.status === 507
      })
      await rm(filler)
      await api.client.fineTuning.jobs.resume(id)
      assert.equal((await seen(api, id, ended)).status, 'succeeded', api.log())
      assert.deepEqual(await adapterOf(api, id), expected)
    } finally {
      await api?.kill('SIGTERM')
      execFileSync('umount', [home])
    }
  })
})
