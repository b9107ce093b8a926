import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { copyFile, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readSentenceFolder } from '../../../client/models/sentence-folder.ts'
import type { Progress } from '../../../common/progress.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import type { HubOptions } from '../../../model/hub/options.ts'
import { renderChat } from '../../../model/text/chat-template.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { writeSentenceModules } from '../../../testing/sentence-folder.ts'
import { familyPath } from '../families/families.ts'
import { copyModel, referencePath, rejectsWith, temporaryFolder, tinyPath } from '../support.ts'
import { type FakeHub, startFakeHub } from './fake-hub.ts'

const weights = 'model.safetensors'

async function setUp(context: TestContext, folder = tinyPath) {
  const hub = await startFakeHub(context, folder)
  const cacheDir = await temporaryFolder(context)
  const open = (options: HubOptions = {}, name = 'acme/model') =>
    openCheckpoint(name, { hub: { endpoint: hub.endpoint, cacheDir, ...options } })
  return { hub, cacheDir, open, repository: join(cacheDir, 'models--acme--model') }
}

async function assertBlock(found: Checkpoint, expected: Checkpoint, block: number): Promise<void> {
  for (const { name } of expected.family.blockTensors(expected.config, block)) {
    assert.deepEqual(await readTensor(found, name), await readTensor(expected, name), name)
  }
}

const bytesSent = (hub: FakeHub, file = weights) => hub.sent.get(file) ?? 0

describe('a model of the hub', () => {
  test('is opened by its name: small files whole, of the weights the header and what is read', async context => {
    const { hub, open, repository } = await setUp(context)
    const expected = await openCheckpoint(tinyPath)
    const found = await open()
    assert.equal(found.identity, expected.identity)
    assert.equal(found.name, 'model')
    const header = bytesSent(hub)
    assert.ok(header < 600_000, `${header} bytes for header and norm`)

    await assertBlock(found, expected, 3)
    const block = expected.family.blockTensors(expected.config, 3)
    const size = block.reduce((sum, { name }) => sum + expected.tensors.get(name)!.length, 0)
    assert.ok(bytesSent(hub) - header <= size, `${bytesSent(hub) - header} bytes for a block of ${size}`)

    const snapshot = join(repository, 'snapshots', hub.commit)
    assert.equal(await readFile(join(repository, 'refs/main'), 'utf8'), hub.commit)
    assert.match(await readlink(join(snapshot, 'config.json')), /^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/)
    assert.match(await readlink(join(snapshot, 'tokenizer.json')), /^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/)
    assert.ok(!(await readdir(snapshot)).includes(weights), 'a part of a file is not shown as the file')
    assert.ok((await loadTokenizer(found.path)).vocabSize > 0)
  })

  test('brings its chat template, also offline', async context => {
    const folder = await copyModel(context, tinyPath)
    await writeFile(join(folder, 'chat_template.jinja'), '{{ bos_token }}{{ messages[0].content }}')
    const { open } = await setUp(context, folder)
    await open()
    const { chatTemplate } = await loadTokenizer((await open({ offline: true })).path)
    assert.match(renderChat(chatTemplate!, [{ role: 'user', content: 'hi' }]), /^<.+>hi$/)
  })

  test('brings the template for tools, which lies in a folder below, also offline', async context => {
    const folder = await copyModel(context, tinyPath)
    await writeFile(join(folder, 'chat_template.jinja'), 'x')
    await mkdir(join(folder, 'additional_chat_templates'))
    await writeFile(join(folder, 'additional_chat_templates/tool_use.jinja'), '{{ tools|tojson }}')
    await mkdir(join(folder, 'onnx'))
    await writeFile(join(folder, 'onnx/model.onnx'), 'not asked for')
    const { open } = await setUp(context, folder)
    await open()
    for (const offline of [false, true]) {
      const { chatTemplate } = await loadTokenizer((await open({ offline })).path)
      const tools = { variables: { tools: [{ name: 'w' }] } }
      assert.equal(renderChat(chatTemplate!, [{ role: 'user', content: 'hi' }], tools), '[{"name": "w"}]')
    }
  })

  test('brings the modules of sentence-transformers, also offline', async context => {
    const folder = await copyModel(context, familyPath('bert'))
    await writeSentenceModules(folder, { width: 32 })
    await mkdir(join(folder, 'onnx'))
    await writeFile(join(folder, 'onnx/config.json'), 'not asked for')
    const { hub, open } = await setUp(context, folder)
    const expected = await readSentenceFolder(folder)
    assert.deepEqual(
      expected.steps.map(({ kind }) => kind),
      ['pooling', 'dense', 'normalize']
    )
    for (const offline of [false, true]) {
      assert.deepEqual(await readSentenceFolder((await open({ offline })).path), expected)
    }
    assert.equal(hub.sent.get('onnx/config.json'), undefined)
  })

  test('is not fetched again, and needs no hub at all once what is needed is here', async context => {
    const { hub, open } = await setUp(context)
    const expected = await openCheckpoint(tinyPath)
    await assertBlock(await open(), expected, 5)
    const before = bytesSent(hub)
    await assertBlock(await open(), expected, 5)
    assert.equal(bytesSent(hub), before)
    await hub.stop()
    for (const offline of [false, true]) await assertBlock(await open({ offline }), expected, 5)
    const name = 'model.layers.9.mlp.up_proj.weight'
    await rejectsWith(readTensor(await open({ offline: true }), name), 'NOT_FOUND', /not \(completely\) in the cache/)
    await rejectsWith(open({ offline: true }, 'acme/other'), 'NOT_FOUND', /acme\/other: not in the cache/)
    await rejectsWith(open({}, 'acme/other'), 'UNREACHABLE', /no folder acme\/other here; .*the hub does not answer/)
  })

  test('in float32 is served straight from what was fetched', async context => {
    const { hub, open, cacheDir } = await setUp(context)
    const located = await blockWeights(await open(), { first: 1, end: 3 }, { cacheDir })
    assert.ok(located.folder.startsWith(cacheDir))
    const before = bytesSent(hub)
    await blockWeights(await open(), { first: 1, end: 3 }, { cacheDir })
    assert.equal(bytesSent(hub), before)
  })

  test('whose every tensor was read is a whole file, checked and in its place', async context => {
    const { hub, open, repository } = await setUp(context, referencePath('qwen2'))
    const expected = await openCheckpoint(referencePath('qwen2'))
    const found = await open()
    for (const name of expected.tensors.keys()) await readTensor(found, name)
    const path = join(repository, 'snapshots', hub.commit, weights)
    assert.deepEqual(await readFile(path), await readFile(join(referencePath('qwen2'), weights)))
    // tensors are still where the open checkpoint says
    await assertBlock(found, expected, 1)
  })

  test('may be fetched by several at once into the same cache', async context => {
    const { hub, open, repository } = await setUp(context, referencePath('qwen2'))
    const expected = await openCheckpoint(referencePath('qwen2'))
    const all = await Promise.all(Array.from({ length: 5 }, () => open()))
    for (const found of all) await assertBlock(found, expected, 0)
    await assertBlock(await open(), expected, 1)
    const path = join(repository, 'snapshots', hub.commit, weights)
    assert.deepEqual(await readFile(path), await readFile(join(referencePath('qwen2'), weights)))
  })

  test('in PyTorch shards is read by ranges too', async context => {
    const folder = await copyModel(context, referencePath('torch/scaled'))
    await writeFile(join(folder, 'config.json'), await readFile(join(referencePath('scaled'), 'config.json')))
    const { open } = await setUp(context, folder)
    const expected = await openCheckpoint(referencePath('scaled'))
    const found = await open()
    assert.equal(found.identity, expected.identity)
    await assertBlock(found, expected, 1)
  })

  test('at a revision is remembered under it', async context => {
    const { hub, open, repository } = await setUp(context)
    await open({ revision: 'v1' })
    assert.equal(await readFile(join(repository, 'refs/v1'), 'utf8'), hub.commit)
    await open({ revision: hub.commit })
    await rejectsWith(open({ revision: 'v2' }), 'NOT_FOUND', /no such model, or no revision 'v2'/)
  })

  test('that another program has fetched whole is used as it is', async context => {
    const { hub, open, repository } = await setUp(context)
    const snapshot = join(repository, 'snapshots', hub.commit)
    await mkdir(snapshot, { recursive: true })
    for (const file of await readdir(tinyPath)) {
      await writeFile(join(snapshot, file), await readFile(join(tinyPath, file)))
    }
    await mkdir(join(repository, 'refs'))
    await writeFile(join(repository, 'refs/main'), hub.commit)
    const expected = await openCheckpoint(tinyPath)
    await assertBlock(await open(), expected, 0)
    await hub.stop()
    await assertBlock(await open({ offline: true }), expected, 0)
    assert.equal(hub.sent.size, 0)
  })

  test('tells how far it is', async context => {
    const hub = await startFakeHub(context, tinyPath)
    const seen: Progress[] = []
    const cacheDir = await temporaryFolder(context)
    const onProgress = (progress: Progress) => seen.push(progress)
    const found = await openCheckpoint('acme/model', { hub: { endpoint: hub.endpoint, cacheDir, onProgress } })
    const ended = seen.filter(progress => progress.ended)
    const small = ended.find(({ name }) => name === 'acme/model (configuration and tokenizer)')!
    const verified = ended.filter(({ stage }) => stage === 'verify')
    assert.ok(verified.some(({ name }) => name === 'config.json'))
    assert.ok(ended.every(({ unit, done, total }) => unit === 'bytes' && done === total && done > 0))
    assert.equal(
      verified.reduce((sum, { done }) => sum + done, 0),
      small.done,
      'of all that came each byte is verified'
    )
    seen.length = 0
    await found.provide(['model.layers.7.mlp.up_proj.weight'])
    const { length } = found.tensors.get('model.layers.7.mlp.up_proj.weight')!
    const about = { stage: 'download', name: 'acme/model', unit: 'bytes', total: length }
    assert.deepEqual(seen[0], { ...about, done: 0, ended: false })
    assert.deepEqual(seen.at(-1), { ...about, done: length, ended: true })
    assert.equal(seen.filter(({ ended }) => ended).length, 1)
    assert.ok(seen.every(({ done }, index) => index === 0 || done >= seen[index - 1]!.done))
  })
})

describe('when fetching from the hub goes wrong', () => {
  test('a connection that is cut is taken up where it was cut', async context => {
    const { hub, open } = await setUp(context)
    const progress = new EventEmitter()
    let done = 0
    const onProgress = (each: Progress): void => {
      done = each.done
      progress.emit('bytes')
    }
    const found = await open({ onProgress })
    const before = bytesSent(hub)
    const taken = async (): Promise<void> => {
      while (done < bytesSent(hub) - before) await once(progress, 'bytes')
    }
    hub.cut = { afterBytes: 50_000, times: 3, taken }
    const name = 'model.layers.4.mlp.up_proj.weight'
    const expected = await openCheckpoint(tinyPath)
    assert.deepEqual(await readTensor(found, name), await readTensor(expected, name))
    assert.equal(hub.cut.times, 0)
    assert.equal(bytesSent(hub) - before, expected.tensors.get(name)!.length)
  })

  test('a start that failed half way is continued by the next', async context => {
    const { hub, open } = await setUp(context)
    const name = 'model.layers.4.mlp.up_proj.weight'
    const expected = await openCheckpoint(tinyPath)
    const found = await open()
    const before = bytesSent(hub)
    hub.cut = { afterBytes: 50_000, times: 1 }
    const failing = assert.rejects(readTensor(found, name), { code: 'UNREACHABLE', message: /status 503/ })
    while (bytesSent(hub) === before) await new Promise(done => setTimeout(done, 2))
    hub.failWith = 503
    await failing
    hub.failWith = undefined
    assert.deepEqual(await readTensor(await open(), name), await readTensor(expected, name))
    assert.equal(bytesSent(hub) - before, expected.tensors.get(name)!.length)
  })

  for (const file of ['config.json', 'tokenizer.json', weights]) {
    test(`a wrong checksum of ${file} is refused, and the file fetched again the next time`, async context => {
      // so small that all of its weights come with their header
      const folder = await copyModel(context, referencePath('qwen2'))
      await copyFile(join(tinyPath, 'tokenizer.json'), join(folder, 'tokenizer.json'))
      const { hub, open } = await setUp(context, folder)
      hub.spoilt.add(file)
      await rejectsWith(open(), 'BAD_CHECKPOINT', new RegExp(`'${file}': expected checksum .*, found .*: removed`))
      hub.spoilt.delete(file)
      await open()
    })
  }

  test('a model behind a token needs it, and the store of large files never sees it', async context => {
    const { hub, open } = await setUp(context)
    hub.token = 'hf_secret'
    await rejectsWith(open(), 'NOT_FOUND', /the hub denies access \(401\).*HF_TOKEN/)
    await open({ token: 'hf_secret' })
    assert.deepEqual(hub.storeSawTokens, [])
    await rejectsWith(open({ token: 'hf_secret' }, 'nobody/nothing'), 'NOT_FOUND', /no such model/)
  })
})

describe('a hub that is not honest', () => {
  /** What lies beside the cache, where `..` would lead. */
  async function besideCache(context: TestContext) {
    const folder = await temporaryFolder(context)
    const victim = join(folder, 'victim')
    await writeFile(victim, 'mine')
    const hub = await startFakeHub(context, tinyPath)
    const cacheDir = join(folder, 'cache')
    const open = () => openCheckpoint('acme/model', { hub: { endpoint: hub.endpoint, cacheDir, token: 'hf_secret' } })
    const assertUntouched = async () => {
      assert.equal(await readFile(victim, 'utf8'), 'mine')
      assert.deepEqual(
        (await readdir(folder)).filter(name => name !== 'cache'),
        ['victim']
      )
    }
    return { hub, open, assertUntouched }
  }
  const up = '../../../../victim'

  test('writes nothing outside of the cache by what it calls commits, files and hashes', async context => {
    const { hub, open, assertUntouched } = await besideCache(context)
    const lies: [Partial<FakeHub['says']>, RegExp][] = [
      [{ commit: up }, /commit: expected 40 or 64 hex digits, found "\.\./],
      [{ entry: { path: up } }, /file name: expected the name of a file, found .* separator/],
      [{ entry: { path: '..' } }, /leaves its folder/],
      [{ entry: { path: 'C:\\victim' } }, /separator/],
      [{ entry: { oid: up, lfs: undefined } }, /hash of '.*': expected 40 or 64 hex digits/],
      [{ entry: { lfs: { oid: up, size: 10 } } }, /hash of '.*': expected 40 or 64 hex digits/],
      [{ entry: { size: -1, lfs: undefined } }, /expected a size in bytes, found -1/]
    ]
    for (const [lie, message] of lies) {
      Object.assign(hub.says, { commit: undefined, entry: undefined }, lie)
      await rejectsWith(open(), 'BAD_CHECKPOINT', message)
      await assertUntouched()
    }
  })

  test('cannot plant a record that is believed when the hub is away', async context => {
    const { hub, open, repository } = await setUp(context)
    await open()
    const record = join(repository, 'swarmtune', `${hub.commit}.json`)
    await writeFile(record, JSON.stringify({ files: [{ path: 'config.json', size: 2, etag: up }] }))
    await rejectsWith(open({ offline: true }), 'BAD_CHECKPOINT', /hash of 'config.json': expected/)
    await writeFile(join(repository, 'refs/main'), up)
    await rejectsWith(open({ offline: true }), 'BAD_CHECKPOINT', /commit: expected/)
  })

  test('sends no request elsewhere than to https, and the token to nobody else', async context => {
    const { hub, open, assertUntouched } = await besideCache(context)
    let asked = 0
    const inside = createServer((_, response) => {
      asked++
      response.end('{}')
    })
    await new Promise<void>(resolve => inside.listen(0, '127.0.0.1', resolve))
    context.after(() => inside.close())
    const target = `http://127.0.0.1:${(inside.address() as AddressInfo).port}/latest/meta-data`
    hub.redirect = target
    await rejectsWith(open(), 'UNREACHABLE', /the hub redirects to http:\/\/127.* expected https, or/)
    hub.redirect = 'file:///etc/passwd'
    await rejectsWith(open(), 'UNREACHABLE', /the hub redirects to file:/)
    hub.redirect = `${hub.endpoint}/acme/model/resolve/main/tokenizer.json`
    await rejectsWith(open(), 'UNREACHABLE', /more than 10 times/)
    hub.says.nextPage = `${target}?page=2`
    await rejectsWith(open(), 'UNREACHABLE', /list of files goes on at http/)
    assert.equal(asked, 0)
    await assertUntouched()
  })

  test('cannot fill the disk with a small file', async context => {
    const { hub, open } = await besideCache(context)
    hub.says.entry = { size: 2 ** 40, lfs: undefined }
    await rejectsWith(open(), 'BAD_CHECKPOINT', /expected at most 1073741824 bytes, found 1099511627776/)
  })
})
