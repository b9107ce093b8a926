// What is kept against servers: it outlasts the process, ends, and survives other clients and damage.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { files } from '../../../client/platform/files.node.ts'
import { Blame } from '../../../client/remote/peers/blame.ts'
import { silent } from '../../../common/logger.ts'
import { day, minute } from '../../../common/units.ts'

const peerIds = ['12D3KooWLiarAAAAAAAA', '12D3KooWLiarBBBBBBBB'] as const
const [liar, other] = peerIds
const lie = { model: 'm', offence: 'lied', why: 'an audit found it wrong' } as const

async function createHome(context: TestContext) {
  const home = await mkdtemp(join(tmpdir(), 'swarm-blame-'))
  context.after(() => rm(home, { recursive: true, force: true }))
  const clock = { now: 1_800_000_000_000 }
  const warnings: string[] = []
  const logger = { ...silent, warn: (_: object, message: string) => void warnings.push(message) }
  const open = async (): Promise<Blame> => {
    const blame = new Blame({ files, home, logger, now: () => clock.now })
    await blame.load()
    return blame
  }
  return { home, clock, warnings, open }
}

describe('blame of servers', () => {
  it('outlasts the process, ends after a day, and lasts four times as long after a second lie', async context => {
    const { clock, open } = await createHome(context)
    const first = await open()
    first.accuse(liar, lie)
    assert.ok(first.isExcluded(liar))
    await first.settled()
    const second = await open()
    assert.ok(second.isExcluded(liar))
    assert.ok(!second.isExcluded(other))
    clock.now += day
    assert.ok(!second.isExcluded(liar))
    // the way back: an answer of it has to be checked first
    assert.ok(second.isOnProbation(liar))
    assert.ok(second.avoided('m').has(liar))
    assert.ok(!second.avoided('m', { probation: false }).has(liar))
    second.accuse(liar, lie)
    clock.now += 4 * day - 1
    assert.ok(second.isExcluded(liar))
    clock.now += 1
    second.vouch(liar)
    assert.ok(!second.isExcluded(liar) && !second.isOnProbation(liar))
    assert.ok(second.isKnown(liar))
    await second.settled()
    const third = await open()
    assert.ok(third.isKnown(liar) && !third.isOnProbation(liar))
  })

  it('avoids a server for one model where it was late or not finite, and for a few minutes only', async context => {
    const { clock, open } = await createHome(context)
    const blame = await open()
    blame.accuse(liar, { model: 'm', offence: 'late', why: 'no answer' })
    blame.accuse(other, { model: 'm', offence: 'not finite', why: 'NaN' })
    assert.deepEqual(
      [...blame.avoided('m')],
      [
        [liar, 'no answer'],
        [other, 'NaN']
      ]
    )
    assert.equal(blame.avoided('another model').size, 0)
    assert.ok(!blame.isExcluded(liar) && !blame.isOnProbation(liar))
    clock.now += 5 * minute
    assert.deepEqual([...blame.avoided('m').keys()], [other])
    clock.now += 5 * minute
    assert.equal(blame.avoided('m').size, 0)
    await blame.settled()
  })

  it('keeps what several clients write at once, and hears of it', async context => {
    const { clock, open } = await createHome(context)
    const clients = [await open(), await open()]
    clients[0]!.accuse(liar, lie)
    clients[1]!.accuse(other, lie)
    clients[1]!.accuse(liar, { model: 'm', offence: 'late', why: 'no answer' })
    await Promise.all(clients.map(client => client.settled()))
    clock.now += minute
    for (const client of [...clients, await open()]) {
      await client.load()
      assert.ok(client.isExcluded(liar) && client.isExcluded(other))
      assert.ok(client.avoided('m').has(liar))
    }
  })

  it('sets a damaged file aside, says so, and keeps the others', async context => {
    const { home, warnings, open } = await createHome(context)
    const first = await open()
    for (const peerId of peerIds) first.accuse(peerId, lie)
    await first.settled()
    const path = join(home, 'blame', `${liar}.json`)
    for (const damage of ['{"counts":[{"model":1}],"checkedAt":0}', '\u0000', '']) {
      await writeFile(path, damage)
      warnings.length = 0
      const blame = await open()
      assert.match(warnings.join(), new RegExp(`${liar}.json is damaged and set aside`))
      assert.ok(!blame.isExcluded(liar) && blame.isExcluded(other))
      assert.equal(await readFile(`${path}.damaged`, 'utf8'), damage)
      assert.deepEqual((await readdir(join(home, 'blame'))).sort(), [`${liar}.json.damaged`, `${other}.json`])
    }
  })

  it('writes nothing for a name that is no peer id, and works without a home', async context => {
    const { home, open } = await createHome(context)
    const blame = await open()
    for (const peerId of ['../../escaped', 'a/b', '.', '']) blame.accuse(peerId, lie)
    await blame.settled()
    assert.equal(await files.list(join(home, 'blame')), null)
    const homeless = new Blame({ files, home: null })
    await homeless.load()
    homeless.accuse(liar, lie)
    await homeless.settled()
    assert.ok(homeless.isExcluded(liar))
  })

  it('takes no note of a clock that was wrong by years', async context => {
    const { clock, open } = await createHome(context)
    const blame = await open()
    clock.now += 1000 * day
    blame.accuse(liar, lie)
    blame.vouch(other)
    assert.ok(blame.isExcluded(liar) && blame.isKnown(other))
    clock.now -= 1000 * day
    assert.ok(!blame.isExcluded(liar) && !blame.isKnown(other))
    await blame.settled()
    // nor do its notes stand in the way of new ones, here or in their files
    for (const client of [await open(), blame]) {
      client.accuse(liar, lie)
      client.vouch(other)
      await client.settled()
      assert.ok(client.isExcluded(liar) && client.isKnown(other))
    }
    const later = await open()
    assert.ok(later.isExcluded(liar) && later.isKnown(other))
  })

  it('says once that it cannot write, and goes on', async context => {
    const { home, warnings, open } = await createHome(context)
    await writeFile(join(home, 'blame'), 'a file where the folder should be')
    const blame = await open()
    for (const peerId of peerIds) blame.accuse(peerId, lie)
    await blame.settled()
    assert.equal(warnings.filter(message => message.startsWith('the record of bad servers is lost')).length, 1)
    assert.ok(peerIds.every(peerId => blame.isExcluded(peerId)))
  })

  it('holds so many servers at most: the oldest make way', async context => {
    const { clock } = await createHome(context)
    const blame = new Blame({ home: null, now: () => clock.now })
    const name = (index: number): string => `12D3KooW${String(index).replaceAll('0', 'z').padStart(8, 'x')}`
    for (let index = 0; index < 600; index++) {
      clock.now += 1
      blame.accuse(name(index), lie)
    }
    assert.ok(!blame.isExcluded(name(0)) && !blame.isExcluded(name(87)))
    assert.ok(blame.isExcluded(name(88)) && blame.isExcluded(name(599)))
  })
})
