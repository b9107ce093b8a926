// Runs in a network and mount namespace of its own: a server, a client and a training run, with a name server that only writes down
// what it is asked. Prints as JSON the names asked for and the files written, by folder.
import { execFile, execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { startPeer } from '../../../cli/peer/local-swarm.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../../..')
const work = process.argv[2]!
const mount = (...args: string[]): void => void execFileSync('mount', args)

/** Name of the first question of a DNS message. */
function questionOf(message: Buffer): string {
  const labels: string[] = []
  for (let at = 12; message[at]! > 0; at += message[at]! + 1) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]!))
  }
  return labels.join('.')
}

execFileSync('ip', ['link', 'set', 'lo', 'up'])
mount('-t', 'tmpfs', 'none', work)
const folders = {
  home: join(work, 'home'),
  temporary: join(work, 'tmp'),
  current: join(work, 'here'),
  run: join(work, 'run')
}
for (const folder of Object.values(folders)) mkdirSync(folder)
// a library may ask the system for the user's home instead of the environment
const { homedir } = userInfo()
const ownHome = root.startsWith(`${homedir}/`) || work.startsWith(`${homedir}/`) ? null : homedir
if (ownHome !== null) mount('-t', 'tmpfs', 'none', ownHome)
writeFileSync(join(work, 'resolv.conf'), 'nameserver 127.0.0.1\n')
mount('--bind', join(work, 'resolv.conf'), '/etc/resolv.conf')

const asked: string[] = []
const dns = createSocket('udp4')
dns.on('message', (message, { port, address }) => {
  asked.push(questionOf(message))
  const answer = Buffer.from(message)
  answer.writeUInt16BE(0x8183, 2) // no such name
  dns.send(answer, port, address)
})
dns.bind(53, '127.0.0.1')
await once(dns, 'listening')

const env = {
  PATH: process.env.PATH!,
  HOME: folders.home,
  SWARM_HOME: join(folders.home, '.swarmtune'),
  TMPDIR: folders.temporary
}
for (const name of Object.keys(process.env)) delete process.env[name] // what runs here is told nothing else
Object.assign(process.env, env)
process.chdir(folders.current)
const model = join(root, 'models/tiny')
const server = await startPeer([
  'serve',
  model,
  '--blocks',
  '0-12',
  '--host',
  '127.0.0.1',
  '--port',
  '0',
  '--threads',
  '1'
])
const swarm = async (...args: string[]): Promise<string> =>
  (await run(process.execPath, [join(root, 'cli/bin.js'), ...args, '--join', server.address], { env })).stdout
const text = await swarm('generate', model, 'Call me', '--max-new-tokens', '4')
await swarm('train', model, join(root, 'data/capitals.jsonl'), '--output-dir', folders.run, '--max-steps', '2')
await server.stop()
dns.close()

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
console.log(
  JSON.stringify({
    text,
    asked,
    home: filesIn(folders.home).filter(file => !file.startsWith('.swarmtune/')),
    ownHome: ownHome === null ? [] : filesIn(ownHome),
    temporary: filesIn(folders.temporary),
    current: filesIn(folders.current),
    run: filesIn(folders.run)
  })
)
