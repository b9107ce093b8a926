// Uploaded files: as the `openai` package sends them, and forms as broken as they come.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import OpenAI, { type APIError, toFile } from 'openai'
import { MiB } from '../../../common/units.ts'
import { createFineTuning } from '../../../gateway/jobs/index.ts'
import { createGateway, type Gateway } from '../../../gateway/server.ts'
import { openStore } from '../../../gateway/storage/store.ts'
import { gatewayOver } from '../../../testing/gateway.ts'
import { collectAll } from '../../../testing/references.ts'
import { until } from '../../../testing/swarm.ts'

const row = '{"prompt": "One", "completion": " two"}\n'
const maxBytes = 8 * MiB

describe('files', () => {
  let home: string
  let gateway: Gateway
  let client: OpenAI
  const stored = async (): Promise<string[]> => (await readdir(join(home, 'gateway', 'files'))).sort()

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-files-'))
    const { context } = gatewayOver([], await openStore(home))
    gateway = createGateway({ ...context, ...createFineTuning(context, { maxBytes }) }, { port: 0 })
    await gateway.start()
    client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
  })
  after(async () => {
    await gateway?.stop()
    gateway?.context.store.close()
    await rm(home, { recursive: true, force: true })
  })

  it('come back as they were sent, whatever they are called', async () => {
    const names = ['plain.jsonl', 'ünïcode 🦜.jsonl', '..%2f..%2fetc.csv', "it's; quoted.json", 'x.JSONL.GZ', 'CON.txt']
    for (const name of names) {
      const sent = await client.files.create({ file: await toFile(Buffer.from(row), name), purpose: 'fine-tune' })
      assert.equal(sent.filename, name)
      assert.deepEqual(await client.files.retrieve(sent.id), sent)
      const content = await client.files.content(sent.id)
      assert.equal(await content.text(), row)
      assert.equal(content.headers.get('content-type'), 'application/octet-stream')
      const disposition = content.headers.get('content-disposition')!
      assert.equal(decodeURIComponent(/filename\*=UTF-8''(.*)$/.exec(disposition)![1]!), name)
    }
    for (const name of await stored()) assert.match(name, /^file-[0-9a-f]{24}\.[a-z.]+$/)
    const listed = await collectAll(client.files.list({ limit: 2, order: 'asc' }))
    assert.deepEqual(
      listed.map(({ filename }) => filename),
      names
    )
    const { data, has_more } = await client.files.list({ limit: 2, after: listed[4]!.id })
    assert.deepEqual([data.map(({ filename }) => filename), has_more], [names.slice(2, 4).reverse(), true])
    assert.equal((await client.files.list({ purpose: 'user_data' })).data.length, 0)
    assert.deepEqual(await client.files.delete(listed[0]!.id), { id: listed[0]!.id, object: 'file', deleted: true })
    await assert.rejects(client.files.retrieve(listed[0]!.id), (error: APIError) => error.status === 404)
    await assert.rejects(client.files.content(listed[0]!.id), (error: APIError) => error.status === 404)
    await assert.rejects(client.files.list({ after: 'file-none' }), /no file 'file-none' here/)
    assert.equal((await stored()).length, names.length - 1)
  })

  it('a path in the name of a file is no path here', async () => {
    const boundary = 'limit'
    const form = `--${boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="../../../../tmp/evil.jsonl"\r\n\r\n${row}\r\n--${boundary}--\r\n`
    const headers = { 'Content-Type': `multipart/form-data; boundary=${boundary}` }
    const answer = await fetch(`${gateway.url}/v1/files`, { method: 'POST', headers, body: form })
    const { id, filename } = (await answer.json()) as { id: string; filename: string }
    assert.equal(filename, 'evil.jsonl')
    assert.ok((await stored()).includes(`${id}.jsonl`))
  })

  it('leave nothing behind where they are refused', async () => {
    const before = await stored()
    const large = Buffer.alloc(maxBytes + 1, row)
    const faults: [() => Promise<unknown>, number, RegExp][] = [
      [
        async () => client.files.create({ file: await toFile(large, 'large.jsonl'), purpose: 'fine-tune' }),
        413,
        /larger than 8.0 MiB/
      ],
      [
        async () => client.files.create({ file: await toFile(Buffer.from(row), 'image.png'), purpose: 'fine-tune' }),
        400,
        /expected a name that ends in .jsonl.*found 'image.png'/
      ],
      [
        async () => client.files.create({ file: await toFile(Buffer.from(row), 'a.jsonl'), purpose: 'batch' }),
        400,
        /purpose: expected fine-tune or user_data, found 'batch': nothing here reads/
      ],
      [
        async () =>
          client.files.create({
            ...{ file: await toFile(Buffer.from(row), 'a.jsonl'), purpose: 'fine-tune' },
            expires_after: { anchor: 'created_at', seconds: 5 }
          }),
        400,
        /expires_after\[seconds\]/
      ]
    ]
    for (const [send, status, message] of faults) {
      await assert.rejects(send(), (error: APIError) => {
        assert.match(error.message, message)
        return error.status === status
      })
    }
    const form = new FormData()
    form.set('purpose', 'fine-tune')
    form.set('data', new Blob([row]), 'a.jsonl')
    const bodies: [FormData | Blob | string, number, RegExp][] = [
      [form, 400, /unsupported field data/],
      [new Blob([row], { type: 'application/octet-stream' }), 415, /expected a form \(multipart\/form-data\)/],
      ['{}', 415, /expected a form/]
    ]
    for (const [body, status, message] of bodies) {
      const answer = await fetch(`${gateway.url}/v1/files`, { method: 'POST', body })
      const { error } = (await answer.json()) as { error: { message: string } }
      assert.match(error.message, message)
      assert.equal(answer.status, status)
    }
    assert.deepEqual(await stored(), before)
  })

  it('a client that goes in the middle, or a form without an end, leaves nothing', async () => {
    const before = await stored()
    const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    const cut = await fetch(`${gateway.url}/v1/files`, {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
      body: head + row
    })
    assert.equal(cut.status, 400)
    assert.match(((await cut.json()) as { error: { message: string } }).error.message, /ended too early or is broken/)
    assert.deepEqual(await stored(), before)
    const { port } = new URL(gateway.url)
    const socket = connect(Number(port), '127.0.0.1')
    const length = 4 * MiB
    socket.write(
      `POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\n\r\n${head}`
    )
    socket.write(Buffer.alloc(MiB, row))
    let seen: string[] = []
    while (!seen.some(name => name.endsWith('.part'))) seen = await stored()
    socket.destroy()
    let left = seen
    const look = setInterval(() => void stored().then(found => (left = found)), 10)
    try {
      await until(() => !left.some(name => name.endsWith('.part')))
    } finally {
      clearInterval(look)
    }
    assert.deepEqual(await stored(), before)
  })

  it('are never in memory as a whole', async () => {
    const chunk = Buffer.alloc(MiB, row)
    async function* bytes(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n')
      for (let count = 0; count < 64; count++) yield chunk
      yield Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--b--\r\n')
    }
    const { context } = gateway
    const { api } = gatewayOver([], context.store)
    const idle = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - idle)
    }, 1)
    const answer = await api.request('/v1/files', {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
      body: ReadableStream.from(bytes()),
      duplex: 'half'
    })
    clearInterval(watch)
    const file = (await answer.json()) as { id: string; bytes: number }
    assert.equal(file.bytes, 64 * MiB)
    await client.files.delete(file.id)
    assert.ok(most < 24 * MiB, `${most}`)
  })

  it('that a killed process left half-written are gone after a start; files stay', async () => {
    const before = await stored()
    const folder = join(home, 'gateway', 'files')
    await writeFile(join(folder, 'file-000000000000000000000000.part'), row)
    await writeFile(join(folder, 'file-000000000000000000000000.jsonl'), row)
    await createFineTuning(gateway.context).files.start()
    assert.deepEqual(await stored(), before)
  })

  it('with an end of life are gone after it', async () => {
    const sent = await client.files.create({
      ...{ file: await toFile(Buffer.from(row), 'a.jsonl'), purpose: 'fine-tune' },
      expires_after: { anchor: 'created_at', seconds: 3600 }
    })
    assert.equal(sent.expires_at, sent.created_at + 3600)
    const { store } = gateway.context
    store.database.run('UPDATE files SET expires = ? WHERE id = ?', sent.created_at - 1, sent.id)
    await assert.rejects(client.files.retrieve(sent.id), (error: APIError) => error.status === 404)
    assert.equal(await stat(join(home, 'gateway', 'files', `${sent.id}.jsonl`)).catch(() => null), null)
  })
})
