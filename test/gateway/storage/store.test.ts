// What the gateway keeps: opened, migrated, claimed by one gateway, and what happens when the file or the disk is bad.
import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Database } from '../../../gateway/storage/database.ts'
import { openStore } from '../../../gateway/storage/store.ts'
import { temporaryFolder } from '../../model/support.ts'

const notes = [{ name: 'notes', sql: 'CREATE TABLE notes (text TEXT NOT NULL) STRICT' }]

test('keys outlive the store, and their texts are not in the file', async context => {
  const home = await temporaryFolder(context)
  const store = await openStore(home)
  const { key, record } = store.keys.create({ name: ' lab ', requestsPerMinute: 60 })
  assert.match(key, /^sk-swarm-[0-9a-f]{12}-[\w-]{43}$/)
  store.close()
  const again = await openStore(home)
  assert.equal(again.keys.recognize(key)?.id, record.id)
  assert.equal(again.keys.recognize(`${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`), null)
  assert.equal(again.keys.recognize('sk-swarm-000000000000-'.padEnd(65, 'x')), null)
  assert.deepEqual(
    again.keys.list().map(({ name, requestsPerMinute, revoked }) => [name, requestsPerMinute, revoked]),
    [['lab', 60, null]]
  )
  assert.throws(() => again.keys.create({ name: 'lab' }), { code: 'INVALID_ARGUMENT', message: /'lab' exists/ })
  assert.equal(again.keys.revoke('lab').id, record.id)
  assert.equal(again.keys.recognize(key), null)
  assert.equal(again.keys.any, false)
  assert.throws(() => again.keys.revoke('lab'), { code: 'NOT_FOUND' })
  again.close()
  for (const name of ['gateway.sqlite', 'gateway.sqlite-wal']) {
    const bytes = await readFile(join(home, 'gateway', name)).catch(() => Buffer.alloc(0))
    assert.equal(bytes.includes(key.slice(-43)), false)
  }
  if (process.platform !== 'win32') assert.equal((await stat(join(home, 'gateway/gateway.sqlite'))).mode & 0o777, 0o600)
})

test('a second gateway of one home folder is told who has it; commands about keys are not', async context => {
  const home = await temporaryFolder(context)
  const first = await openStore(home)
  first.claim('process 4711, http://127.0.0.1:8000')
  const second = await openStore(home)
  assert.throws(() => second.claim('process 2'), {
    code: 'BUSY',
    message:
      /another gateway uses this home folder \(process 4711, http:\/\/127\.0\.0\.1:8000\): stop it, or set SWARM_HOME/
  })
  const { key } = second.keys.create({ name: 'while the other runs' })
  assert.notEqual(first.keys.recognize(key), null)
  first.close()
  second.claim('process 2')
  second.close()
})

test('a database of a later release, of another program or a damaged one is refused by name and left as it is', async context => {
  const home = await temporaryFolder(context)
  const path = join(home, 'gateway/gateway.sqlite')
  const refuses = async (code: string, message: RegExp) => {
    const before = await readFile(path)
    await assert.rejects(openStore(home), { code, message })
    assert.deepEqual(await readFile(path), before)
  }
  ;(await openStore(home)).close()
  const later = new DatabaseSync(path)
  later.exec('PRAGMA user_version = 999')
  later.close()
  await refuses('UNSUPPORTED', /gateway\.sqlite: found schema version 999, this build reads up to \d+: a later release/)

  await writeFile(path, 'no database, but some text. '.repeat(300))
  await refuses('BAD_CHECKPOINT', /gateway\.sqlite is damaged \(file is not a database\)/)

  const other = join(await temporaryFolder(context), 'gateway')
  await mkdir(other)
  const foreign = new DatabaseSync(join(other, 'gateway.sqlite'))
  foreign.exec('CREATE TABLE theirs (a)')
  foreign.close()
  await assert.rejects(openStore(join(other, '..')), { code: 'INVALID_ARGUMENT', message: /one of another program/ })
})

test('a page that was overwritten in the middle is found when the file is opened', async context => {
  const path = join(await temporaryFolder(context), 'a.sqlite')
  const database = new Database(path, notes)
  for (let row = 0; row < 200; row++) database.run('INSERT INTO notes VALUES (?)', 'x'.repeat(200))
  database.close()
  const bytes = await readFile(path)
  bytes.fill(0xff, 8192, 12_288)
  await writeFile(path, bytes)
  assert.throws(() => new Database(path, notes), { code: 'BAD_CHECKPOINT', message: /a\.sqlite is damaged/ })
})

test('migrations run once each and in order; one that fails changes nothing', async context => {
  const path = join(await temporaryFolder(context), 'a.sqlite')
  const first = new Database(path, notes)
  first.run('INSERT INTO notes VALUES (?)', 'kept')
  first.close()
  const more = [...notes, { name: 'stars', sql: 'ALTER TABLE notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 3' }]
  assert.throws(() => new Database(path, [...more, { name: 'bad', sql: 'CREATE TABLE notes (a)' }]), /already exists/)
  const second = new Database(path, more)
  assert.deepEqual({ ...second.get('SELECT * FROM notes') }, { text: 'kept', stars: 3 })
  second.close()
})

test('a full disk is DISK_FULL; the transaction is undone and what was there before stays', async context => {
  const database = new Database(join(await temporaryFolder(context), 'a.sqlite'), notes)
  database.run('INSERT INTO notes VALUES (?)', 'kept')
  database.get('PRAGMA max_page_count = 12') // SQLite's own limit gives the error of a disk without room
  const fill = () =>
    database.transaction(() => {
      for (;;) database.run('INSERT INTO notes VALUES (?)', 'x'.repeat(1000))
    })
  assert.throws(fill, { code: 'DISK_FULL', message: /the disk is full; nothing was changed/ })
  assert.deepEqual(
    database.all('SELECT text FROM notes').map(({ text }) => text),
    ['kept']
  )
  database.run('INSERT INTO notes VALUES (?)', 'small')
  database.close()
})

test('requests are counted by day, key and model, and only the latest are kept', async context => {
  const store = await openStore(await temporaryFolder(context))
  const record = {
    id: 'r',
    time: Date.now(),
    keyId: 'k',
    model: 'tiny',
    method: 'POST',
    path: '/v1/completions',
    status: 200,
    code: null,
    promptTokens: 3,
    completionTokens: 2,
    firstTokenMs: 1.5,
    durationMs: 10
  }
  store.database.transaction(() => {
    for (let number = 0; number < 10_600; number++) store.requests.add({ ...record, id: `r${number}` })
    store.requests.add({ ...record, id: 'last', status: 429, code: 'rate_limit_exceeded', keyId: null, model: null })
  })
  const [last, before] = store.requests.recent(2)
  assert.deepEqual([last!.id, last!.keyId, before!.id, before!.firstTokenMs], ['last', null, 'r10599', 2])
  assert.ok(store.requests.recent(20_000).length <= 10_500)
  const day = new Date().toISOString().slice(0, 10)
  const same = { day, promptTokens: 3, completionTokens: 2, requests: 1, errors: 1 }
  assert.deepEqual(store.requests.usage(), [
    { ...same, keyId: null, model: null },
    {
      ...same,
      keyId: 'k',
      model: 'tiny',
      requests: 10_600,
      errors: 0,
      promptTokens: 31_800,
      completionTokens: 21_200
    }
  ])
  store.close()
})
