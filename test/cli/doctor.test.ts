import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  judgeAddresses,
  judgeClock,
  judgeDisk,
  judgeMemory,
  judgeModel,
  judgePeers,
  judgeReach,
  judgeRuntime,
  judgeVersions
} from '../../cli/doctor/finding.ts'
import { installCommand } from '../../common/files/package-folder.ts'
import { GiB, MiB, second } from '../../common/units.ts'
import type { ServerState } from '../../network/discovery/announcement.ts'
import { type SwarmKnowledge, swarmState } from '../../network/state/swarm-state.ts'
import { unloadable } from '../../runtime/library.ts'

const answer = (dialed: { address: string; failure: string }[], clockAheadMs = 0) => ({
  peerId: 'peer',
  version: '0.1.0',
  time: 0,
  seenAs: '/ip4/192.0.2.1/tcp/5000',
  dialed,
  clockAheadMs,
  clockErrorMs: 1
})

test('a clock is compared with the median of the peers, within what the round trip hides', () => {
  const judge = (...ahead: number[]) => judgeClock(ahead.map(clockAheadMs => ({ clockAheadMs, clockErrorMs: 500 })))
  assert.equal(judge(9 * second).status, 'ok')
  assert.deepEqual(
    [judge(11 * second).status, judge(11 * second).message],
    ['warn', '11.0 s behind the clocks of 1 peer']
  )
  assert.equal(judge(-200 * second).status, 'fail')
  assert.match(judge(-200 * second).message, /200\.0 s ahead of the clocks.*look expired/)
  assert.equal(judge(0, 10, 9000 * second).status, 'ok')
  assert.equal(judge().status, 'warn')
})

test('one address that a peer connects to is enough; a router and a firewall are told apart', () => {
  const failed = { address: '/ip4/192.0.2.1/tcp/4000/p2p/x', failure: 'connection refused' }
  const reached = { address: '/ip4/192.0.2.1/tcp/4001/p2p/x', failure: '' }
  assert.deepEqual(judgeReach([answer([failed]), answer([failed, reached])], true), {
    check: 'reachability',
    status: 'ok',
    message: 'peers connect to /ip4/192.0.2.1/tcp/4001'
  })
  assert.match(judgeReach([answer([failed])], true).message, /connection refused\): a firewall/)
  assert.match(judgeReach([answer([])], true).message, /at \/ip4\/192\.0\.2\.1\/tcp\/5000.*a router is between/)
  assert.deepEqual(
    [true, false].map(fixed => judgeReach([answer([])], fixed).status),
    ['fail', 'warn']
  )
})

test('a machine that cannot compute fails, with the command that installs the library where one does', () => {
  assert.deepEqual(
    judgeRuntime(() => '1.30.0'),
    {
      check: 'runtime',
      status: 'ok',
      message: `ONNX Runtime 1.30.0, Node ${process.versions.node}`
    }
  )
  const failing = (error: Error) =>
    judgeRuntime(() => {
      throw error
    })
  const missing = Object.assign(new Error("Cannot find module 'onnxruntime-node'"), { code: 'MODULE_NOT_FOUND' })
  assert.deepEqual(failing(unloadable(missing)), {
    check: 'runtime',
    status: 'fail',
    message: 'ONNX Runtime is not installed (npm leaves it out when its download of GPU libraries fails)',
    mend: `run: ${installCommand('onnxruntime-node')}`
  })
  const broken = failing(unloadable(new Error('invalid ELF header'), 'plan9 mips'))
  assert.deepEqual([broken.status, broken.mend], ['fail', 'use a platform and a Node of docs/platforms.md'])
  assert.match(broken.message, /^ONNX Runtime does not load on plan9 mips: invalid ELF header/)
})

test('disk, memory, versions and models are judged by their figures', () => {
  assert.deepEqual(
    [0.5, 2, 50].map(size => judgeDisk(size * GiB, '/x').status),
    ['fail', 'warn', 'ok']
  )
  const model = { blockBytes: 512 * MiB, numBlocks: 24 }
  assert.match(judgeMemory(8 * GiB, model).message, /room for 8 of 24 blocks of 512\.0 MiB/)
  assert.deepEqual(
    [judgeMemory(8 * GiB, model).status, judgeMemory(0.9 * GiB, model).status, judgeMemory(0.9 * GiB).status],
    ['ok', 'fail', 'warn']
  )
  assert.equal(judgeVersions('0.1.0', ['0.1.7', '0.1.0']).status, 'ok')
  assert.match(judgeVersions('0.1.0', ['0.2.0', '0.1.0']).message, /this is 0\.1\.0, peers have 0\.2\.0/)
})

test('a model is ok where every block is served; what one can wait for is a warning, the rest fails', () => {
  const model = { identity: 'ab'.repeat(32), name: 'tiny' }
  const blocks = { first: 0, end: 12 }
  const server = (firstBlock: number, endBlock: number, state: ServerState = 'online') => ({
    peerId: '12D3KooWserver',
    firstBlock,
    endBlock,
    state
  })
  const judge = (known: Partial<SwarmKnowledge>) =>
    judgeModel(model, swarmState({ connected: 1, model, blocks, ...known }))
  assert.deepEqual(judge({ servers: [server(0, 12)] }), {
    check: 'model',
    status: 'ok',
    message: 'the swarm serves every block of tiny (abababab)'
  })
  const incomplete = judge({ servers: [server(0, 6)] })
  assert.deepEqual(
    [incomplete.status, incomplete.message],
    ['fail', 'no server for blocks 6..11 (1 server of this model seen)']
  )
  assert.equal(incomplete.mend, "start one with 'swarm serve <path of tiny> --blocks 6-12 --join <address>'")
  const statuses = [
    { servers: [server(0, 12, 'paused')] },
    { served: [{ identity: 'cd'.repeat(32), name: 'tiny' }] },
    { served: [{ identity: 'cd'.repeat(32), name: 'other' }] },
    { servers: [server(0, 12, 'joining')] },
    {}
  ].map(known => judge(known).status)
  assert.deepEqual(statuses, ['fail', 'fail', 'warn', 'warn', 'warn'])
})

test('peers and servers are counted in the right number, and each dead address is a warning', () => {
  assert.equal(judgePeers(1, 1).message, '1 peer answers, 1 server is known')
  assert.equal(judgePeers(2, 0).message, '2 peers answer, 0 servers are known')
  assert.equal(judgePeers(0, 3).status, 'warn')
  const dead = judgeAddresses([{ address: '/ip4/192.0.2.1/tcp/1', step: 'dead', reason: 'connection refused' }])
  assert.deepEqual(
    dead.map(({ status, message }) => [status, message]),
    [['warn', '/ip4/192.0.2.1/tcp/1: connection refused']]
  )
})
