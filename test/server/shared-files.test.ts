// Files of the model that servers give to peers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protocols } from '../../proto/protocols.ts'
import { openModel, startCaller, startServer } from './support.ts'

test('peers that ask for one file at once share its bytes', async context => {
  const opened = await openModel('tiny')
  const asked = Promise.withResolvers<void>()
  let reads = 0
  const json: typeof opened.folder.json = async (file, options) => {
    if (file !== 'tokenizer.json') return await opened.folder.json(file, options)
    reads++
    await asked.promise
    return await opened.folder.json(file, options)
  }
  const folder = new Proxy(opened.folder, {
    get: (target, key) => {
      const value = key === 'json' ? json : Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  const server = await startServer(context, { checkpoint: { ...opened, folder }, blocks: { first: 0, end: 1 } })
  const callers = await Promise.all([startCaller(context), startCaller(context)])
  type Caller = (typeof callers)[0]
  const ask = async (caller: Caller) => {
    const stream = await caller.open(server.peerId, protocols.tensors, { addresses: server.addresses })
    const nothing = { tensor: '', firstByte: 0, endByte: 0, hashes: [] }
    const body = { kind: 'tensorsRequest', model: opened.identity, file: 'tokenizer.json', ...nothing } as const
    await stream.send({ body, tensors: {} })
    await stream.close()
    return stream
  }
  const read = async (stream: Awaited<ReturnType<typeof ask>>): Promise<string> => {
    const parts: Uint8Array[] = []
    for (let message = await stream.receive(); message !== null; message = await stream.receive()) {
      assert.equal(message.body.kind, 'tensorsResponse')
      if (message.body.kind === 'tensorsResponse') parts.push(message.body.data)
    }
    return Buffer.concat(parts).toString()
  }
  const streams = await Promise.all(callers.flatMap(caller => [ask(caller), ask(caller), ask(caller)]))
  // what is answered on a connection after them shows that they have come
  for (const caller of callers) {
    const info = { body: { kind: 'infoRequest' }, tensors: {} } as const
    await caller.request(server.peerId, protocols.info, info, { addresses: server.addresses })
  }
  asked.resolve()
  const expected = JSON.stringify(await opened.folder.json('tokenizer.json'))
  for (const file of await Promise.all(streams.map(read))) assert.equal(file, expected)
  assert.equal(reads, 1)
  await read(await ask(callers[0]!))
  assert.equal(reads, 2, 'nothing is kept')
})
