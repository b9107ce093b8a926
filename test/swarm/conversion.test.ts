// Servers that convert a model: two at once, and one that finds no room.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { startServers } from '../../cli/peer/local-swarm.ts'
import { MiB, second } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { getPacker } from '../../runtime/packer.ts'
import { temporaryFolder, tinyPath } from '../model/support.ts'

const bin = join(import.meta.dirname, '../../cli/bin.js')
const whole = { first: 0, end: 12 }

/** Paths of files below a folder, sorted. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

/** A shell with mounts of its own; null where the system has none to give. */
function withOwnMounts(script: string, env: Record<string, string>) {
  const shell = ['--map-root-user', '--mount', 'sh', '-c']
  if (spawnSync('unshare', [...shell, 'mount -t tmpfs none /tmp']).status !== 0) return null
  return spawnSync('unshare', [...shell, script], { env: { ...process.env, ...env }, encoding: 'utf8' })
}

describe('processes that quantize a model', { timeout: 240 * second }, () => {
  test('at once, into one cache, both serve it, and the files are those of one alone', async context => {
    const [home, alone] = [await temporaryFolder(context), await temporaryFolder(context)]
    const start = () => startServers(tinyPath, [whole], { env: { SWARM_HOME: home }, args: ['--dtype', 'int8'] })
    const started = await Promise.allSettled([start(), start()])
    const servers = started.flatMap(result => (result.status === 'fulfilled' ? result.value : []))
    await Promise.all(servers.map(server => server.stop()))
    assert.equal(servers.length, 2, JSON.stringify(started))

    await blockWeights(await openCheckpoint(tinyPath), whole, {
      cacheDir: alone,
      precision: 'int8',
      packer: getPacker()
    })
    const expected = await filesIn(alone)
    assert.equal(expected.length, 12)
    assert.deepEqual(await filesIn(join(home, 'cache')), expected)
    for (const file of expected) {
      assert.ok((await readFile(join(home, 'cache', file))).equals(await readFile(join(alone, file))), file)
    }
  })

  test('onto a disk that gets full end with its name, and leave whole files only', async context => {
    const home = await temporaryFolder(context)
    await mkdir(join(home, 'cache'))
    // two of twelve blocks, and a third that is being made
    const room = 3.5 * MiB
    const result = withOwnMounts(
      `mount -t tmpfs -o size=${room} none "$SWARM_HOME/cache" || exit 77
       '${process.execPath}' '${bin}' serve '${tinyPath}' --blocks 0-12 --host 127.0.0.1 --dtype int8
       echo status $?
       find "$SWARM_HOME/cache" -type f`,
      { SWARM_HOME: home }
    )
    if (result === null || result.status === 77) return context.skip('needs mount namespaces with tmpfs (Linux)')
    assert.match(result.stderr, /block-\d+\..*no space to write it \(ENOSPC\): free some space/)
    const [status, ...files] = result.stdout.trim().split('\n')
    assert.match(status!, /^status [1-9]/, result.stdout)
    assert.equal(files.length, 2, result.stdout)
    for (const file of files) assert.match(file, /block-00[01]\.[0-9a-f]{8}\.int8[^/]*\.safetensors$/)
  })
})
