// The swarms that this machine keeps, written by several commands at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSwarm, writeSwarm } from '../../../cli/peer/swarms.ts'
import { generateSecret } from '../../../network/private/invite.ts'
import { temporaryFolder } from '../../model/support.ts'

test('of commands that make one swarm at once one has made it, and the others say so', async context => {
  process.env.SWARM_HOME = await temporaryFolder(context)
  context.after(() => {
    delete process.env.SWARM_HOME
  })
  const created = new Date(0).toISOString()
  const swarms = Array.from({ length: 4 }, () => ({
    created,
    invite: { name: 'lab', secret: generateSecret(), peers: [] }
  }))
  const results = await Promise.allSettled(swarms.map(swarm => writeSwarm(swarm, { isNew: true })))
  const made = results.findIndex(({ status }) => status === 'fulfilled')
  const kept = await readSwarm('lab')
  assert.deepEqual(kept.invite.secret, swarms[made]!.invite.secret)
  const others = results.filter(result => result.status === 'rejected')
  assert.equal(others.length, 3)
  for (const { reason } of others) assert.match(reason.message, /swarm 'lab' is there already .*--show.*--rotate/)
  const rotated = { ...kept, invite: { ...kept.invite, secret: generateSecret() } }
  await writeSwarm(rotated)
  assert.deepEqual((await readSwarm('lab')).invite.secret, rotated.invite.secret)
})

test('an invite that was cut is called so, and not a name to make', async context => {
  process.env.SWARM_HOME = await temporaryFolder(context)
  context.after(() => {
    delete process.env.SWARM_HOME
  })
  await assert.rejects(readSwarm('swarm1APBzqRR4Vv'), /\(known: none\): an invite is longer than this; copy all of it/)
  await assert.rejects(readSwarm('lab'), /make it with 'swarm init lab', or give an invite, swarm1…$/)
})
