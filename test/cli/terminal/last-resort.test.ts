// What becomes of an error that nobody took: a connection's is told once and counted, any other ends the command.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { isConnectionError } from '../../../network/libp2p/stray-errors.ts'

const root = new URL('../../../', import.meta.url)

/** Runs a script as a process of its own. */
async function run(script: string, stderr: 'pipe' | number = 'pipe') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '../../..'),
    stdio: ['ignore', 'pipe', stderr]
  })
  const said = { stdout: '', stderr: '' }
  child.stdout!.on('data', data => (said.stdout += data))
  child.stderr?.on('data', data => (said.stderr += data))
  const [code] = (await once(child, 'close')) as [number]
  return { code, ...said }
}

const guarded = `
import { EventEmitter } from 'node:events'
import { installLastResort } from '${root}cli/terminal/last-resort.ts'
import { strayErrors } from '${root}network/libp2p/stray-errors.ts'
installLastResort()
const turn = () => new Promise(done => setImmediate(done))
`

test('an error of a connection that nobody took is told once and counted, and the process goes on', async () => {
  const { code, stdout, stderr } = await run(`${guarded}
    for (let port = 1; port <= 3; port++) {
      setImmediate(() => new EventEmitter().emit('error', Object.assign(new Error('read ECONNRESET ' + port), { code: 'ECONNRESET', syscall: 'read' })))
      await turn()
    }
    Promise.reject(Object.assign(new RangeError('Invalid WebSocket frame: RSV2 and RSV3 must be clear'), { code: 'WS_ERR_UNEXPECTED_RSV_2_3' }))
    await turn()
    console.log('goes on after ' + strayErrors.count)`)
  assert.deepEqual([code, stdout], [0, 'goes on after 4\n'])
  assert.equal(stderr.match(/continues after an unhandled error of a connection/g)?.length, 2, stderr)
  assert.match(stderr, /ECONNRESET 1/)
})

test('any other error ends the process by its own decision, with what it was and a status of its own', async () => {
  for (const failing of [
    'Promise.reject(new TypeError("x is no function"))',
    'setImmediate(() => { throw new TypeError("x is no function") })'
  ]) {
    const { code, stdout, stderr } = await run(`${guarded}
      ${failing}
      await turn(); await turn()
      console.log('went on')`)
    assert.deepEqual([code, stdout], [70, ''], stderr)
    assert.match(stderr, /swarm: ends because of an unhandled error: x is no function/)
  }
})

test('a log that cannot be written ends nothing', {
  skip: !existsSync('/dev/full') && 'no /dev/full here'
}, async () => {
  const script = `
    import { createLogger } from '${root}cli/terminal/terminal.ts'
    const logger = createLogger('info')
    for (let i = 0; i < 100; i++) logger.info({ i }, 'to a full disk')
    await new Promise(done => setImmediate(done))
    console.log('goes on')`
  assert.deepEqual(await run(script, openSync('/dev/full', 'w')), { code: 0, stdout: 'goes on\n', stderr: '' })
})

test('errors of connections are told from all others', () => {
  const system = (code: string, syscall: string) => Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
  const from = (path: string, error = new TypeError('x')) =>
    Object.assign(error, { stack: `TypeError: x\n    at f (node:net:1:1)\n    at g (file:///app/${path}:1:1)` })
  const ofConnections = [
    system('ECONNRESET', 'read'),
    system('EPIPE', 'write'),
    system('ENOTFOUND', 'getaddrinfo'),
    // UPnP's socket: its error is thrown before anybody can listen
    system('EADDRINUSE', 'bind'),
    system('EMFILE', 'accept'),
    Object.assign(new Error('Other side closed'), { code: 'UND_ERR_SOCKET' }),
    new SwarmError('UNREACHABLE', 'gone'),
    new AggregateError([system('ECONNREFUSED', 'connect'), system('ENETUNREACH', 'connect')]),
    from('node_modules/@libp2p/kad-dht/dist/src/rpc/index.js'),
    from('node_modules/@chainsafe/libp2p-yamux/dist/src/muxer.js')
  ]
  const others = [
    system('ENOSPC', 'write'),
    system('EMFILE', 'open'),
    system('EACCES', 'open'),
    new SwarmError('INTERNAL', 'a bug'),
    new AggregateError([system('ECONNREFUSED', 'connect'), new TypeError('x')]),
    new TypeError('x'),
    from('server/schedule/scheduler.ts'),
    from('node_modules/onnxruntime-node/dist/backend.js'),
    'a text',
    undefined
  ]
  assert.deepEqual(
    ofConnections.filter(error => !isConnectionError(error)),
    []
  )
  assert.deepEqual(others.filter(isConnectionError), [])
})
