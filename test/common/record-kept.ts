// Records what this release keeps between runs: a training checkpoint, a blame record and a swarm's file. Tests keep all recorded
// releases readable: test/client/train/checkpoints.test.ts, test/common/kept-formats.test.ts.
//   node test/common/record-kept.ts           once for a release; --again while the release is not published yet
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeSwarm } from '../../cli/peer/swarms.ts'
import { files } from '../../client/platform/files.node.ts'
import { Blame } from '../../client/remote/peers/blame.ts'
import { version } from '../../common/version.ts'
import { run } from '../client/train/unigram.ts'

const folder = join(import.meta.dirname, 'kept', version)
if (existsSync(folder) && !process.argv.includes('--again')) {
  console.error(`${folder} is recorded already: raise the version in package.json for a new release`)
  process.exit(1)
}
const home = mkdtempSync(join(tmpdir(), 'swarm-kept-'))
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
try {
  await run({ outputDir: join(home, 'run'), saveSteps: 4 }, 5)
  const blame = new Blame({ files, home, now: () => 1_800_000_000_000 })
  blame.accuse('12D3KooWLiarAAAAAAAA', { model: 'm', offence: 'lied', why: 'an audit found it wrong' })
  await blame.settled()
  process.env.SWARM_HOME = home
  const secret = Uint8Array.from({ length: 32 }, (_, index) => index)
  await writeSwarm({ invite: { name: 'home', secret, peers: [] }, created: '2027-01-15T08:00:00.000Z' })
  for (const part of ['run/checkpoint-4', 'blame', 'swarms'])
    for (const name of readdirSync(join(home, part))) copyFileSync(join(home, part, name), join(folder, name))
  console.log(`recorded ${readdirSync(folder).join(', ')} of ${version}`)
} finally {
  rmSync(home, { recursive: true, force: true })
}
