// What earlier releases keep between runs is read, and what later ones keep is refused by name or left alone. Recorded by
// test/common/record-kept.ts.
import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readSwarm } from '../../cli/peer/swarms.ts'
import { files } from '../../client/platform/files.node.ts'
import { Blame } from '../../client/remote/peers/blame.ts'
import { silent } from '../../common/logger.ts'
import { version } from '../../common/version.ts'
import { PartialFile } from '../../model/partial/partial-file.ts'
import { run } from '../client/train/unigram.ts'

const kept = join(import.meta.dirname, 'kept')
const releases = await readdir(kept)
const liar = '12D3KooWLiarAAAAAAAA'
const now = () => 1_800_000_000_000

const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>

let home = ''
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'swarm-kept-'))
  process.env.SWARM_HOME = home
})
after(async () => {
  delete process.env.SWARM_HOME
  await rm(home, { recursive: true, force: true })
})

/** Copies a recorded file to a path, its fields changed. @returns the path */
async function place(from: string, folder: string, name: string, changes?: object): Promise<string> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, name)
  if (changes === undefined) await copyFile(from, path)
  else await writeFile(path, JSON.stringify({ ...(await readJson(from)), ...changes }))
  await chmod(path, 0o600)
  return path
}

/** A folder of a run with the recorded checkpoint. */
async function placeRun(release: string, changes?: object): Promise<string> {
  const outputDir = await mkdtemp(join(home, 'run-'))
  const folder = join(outputDir, 'checkpoint-4')
  await place(join(kept, release, 'trainer_state.json'), folder, 'trainer_state.json', changes)
  await place(join(kept, release, 'training_state.safetensors'), folder, 'training_state.safetensors')
  return outputDir
}

test('what this release keeps is recorded', () => {
  assert.ok(releases.includes(version), 'run: node test/common/record-kept.ts')
})

for (const release of releases) {
  describe(`what release ${release} has kept`, () => {
    test('a checkpoint: the run goes on to the bytes of one that was never interrupted', async () => {
      const whole = await run({})
      const resumed = await run({ outputDir: await placeRun(release), resumeFromCheckpoint: true })
      assert.equal(resumed.progress[0]!.step, 5)
      assert.deepEqual(resumed.weights, whole.weights)
    })

    test('blame and swarms, with a number of their format or, as earlier builds wrote them, without', async () => {
      for (const changes of [undefined, { format: undefined }]) {
        const own = await mkdtemp(join(home, 'home-'))
        await place(join(kept, release, `${liar}.json`), join(own, 'blame'), `${liar}.json`, changes)
        const blame = new Blame({ files, home: own, now })
        await blame.load()
        assert.ok(blame.isExcluded(liar))
        await place(join(kept, release, 'home.json'), join(home, 'swarms'), 'home.json', changes)
        const { invite, created } = await readSwarm('home')
        assert.deepEqual([invite.name, invite.secret[31], created], ['home', 31, '2027-01-15T08:00:00.000Z'])
      }
    })
  })
}

describe('what a later release has kept', () => {
  test('a checkpoint is refused by name, and stays', async () => {
    const outputDir = await placeRun(version, { format: 7 })
    const before = await readFile(join(outputDir, 'checkpoint-4/trainer_state.json'))
    const message =
      /checkpoint-4.trainer_state.json: state of a run in format 7, this build reads up to 1: a later release of swarmtune wrote it; resume with that release, or start anew in another folder$/
    await assert.rejects(run({ outputDir, resumeFromCheckpoint: true }), { code: 'UNSUPPORTED', message })
    assert.deepEqual(await readFile(join(outputDir, 'checkpoint-4/trainer_state.json')), before)
  })

  test('a swarm is refused by name', async () => {
    await place(join(kept, version, 'home.json'), join(home, 'swarms'), 'later.json', { format: 2 })
    const message =
      /later.json: a swarm in format 2, this build reads up to 1: .*; update swarmtune, or take the invite anew/
    await assert.rejects(readSwarm('later'), { code: 'UNSUPPORTED', message })
  })

  test('blame is not known here, said once, and neither set aside nor written over', async () => {
    const own = await mkdtemp(join(home, 'home-'))
    const path = await place(join(kept, version, `${liar}.json`), join(own, 'blame'), `${liar}.json`, {
      format: 2,
      counts: 'new'
    })
    const text = await readFile(path, 'utf8')
    const warnings: string[] = []
    const logger = { ...silent, warn: (_: object, message: string) => void warnings.push(message) }
    const blame = new Blame({ files, home: own, now, logger })
    await blame.load()
    assert.ok(!blame.isExcluded(liar))
    blame.accuse(liar, { model: 'm', offence: 'lied', why: 'again' })
    await blame.settled()
    assert.ok(blame.isExcluded(liar), 'for this process')
    assert.equal(await readFile(path, 'utf8'), text)
    assert.equal(warnings.filter(message => message.includes('a later release of swarmtune wrote it')).length, 1)
  })

  test('a list of the parts of a file that are here is as good as none', async () => {
    const path = join(home, 'weights.bin')
    const source = {
      async *read({ start, end }: { start: number; end: number }) {
        yield new Uint8Array(end - start).fill(7)
      }
    }
    const everything = [{ start: 0, end: 100 }]
    await new PartialFile(path, 100, source).fetch(everything)
    const journal = `${path}.ranges.json`
    const written = await readJson(journal)
    assert.equal(written.format, 1)
    const missing = () => new PartialFile(path, 100, source).missing(everything)
    for (const [format, expected] of [
      [1, []],
      [undefined, []],
      [2, everything]
    ] as const) {
      await writeFile(journal, JSON.stringify({ ...written, format }))
      assert.deepEqual(await missing(), expected, `format ${format}`)
    }
  })
})
