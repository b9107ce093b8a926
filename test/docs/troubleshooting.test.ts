// The messages that docs/troubleshooting.md explains are those that the code says.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { version } from '../../common/version.ts'
import type { DialStep } from '../../network/state/dial-failure.ts'
import { describeState } from '../../network/state/sentences.ts'
import { type SwarmKnowledge, type SwarmState, swarmState } from '../../network/state/swarm-state.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8')

const model = { identity: 'db161288'.padEnd(64, '0'), name: 'tiny' }
const attic = {
  peerId: '12D3KooWxxxxf3Kq8ZpA',
  serverName: 'attic',
  firstBlock: 0,
  endBlock: 6,
  state: 'online' as const
}
const cellar = { peerId: '12D3KooWxxxxeHfeJ2LS', serverName: 'cellar', firstBlock: 6, endBlock: 12 }
const dial = (step: DialStep, reason: string) => [{ address: '/ip4/192.168.1.7/tcp/31330', step, reason }]
const named = (servers: SwarmKnowledge['servers']) => ({ connected: 1, model, blocks: { first: 0, end: 12 }, servers })
const refused = 'it closed the connection at once, after both sides had proven who they are'

/** An example of each state. */
const examples: { readonly [Kind in Exclude<SwarmState['kind'], 'complete'>]: SwarmKnowledge } = {
  'no-way-in': { connected: 0, swarm: 'home' },
  'none-found': { connected: 0, searchedMs: 15_000, swarm: 'home' },
  unreachable: {
    connected: 0,
    dials: dial('dead', 'connection error 192.168.1.7:31330: connect ECONNREFUSED 192.168.1.7:31330')
  },
  'other-secret': {
    connected: 0,
    swarm: 'home',
    dials: dial('handshake', 'it accepts connections, but does not complete the handshake (read ECONNRESET)')
  },
  'other-peer': { connected: 0, dials: dial('identity', 'expected peer 12D3KooWA…, found 12D3KooWB…') },
  refused: { connected: 0, self: '12D3KooWC…', dials: dial('refused', refused) },
  excluded: { connected: 0, dials: dial('excluded', 'the allow-list of this peer does not name it') },
  'no-server': { connected: 1, model },
  'other-model': { connected: 1, model, served: [{ identity: '5f0c11aa'.padEnd(64, '0'), name: 'large' }] },
  'other-revision': { connected: 1, model, served: [{ identity: '77aa01bc'.padEnd(64, '0'), name: 'tiny' }] },
  paused: named([attic, { ...cellar, state: 'paused' }]),
  joining: named([attic, { ...cellar, state: 'joining' }]),
  draining: named([attic, { ...cellar, state: 'draining' }]),
  'other-version': {
    ...named([attic, { ...cellar, state: 'online', version: '9.0.0', protocols: ['inference/9.0.0'] }]),
    needs: ['inference']
  },
  incomplete: named([attic])
}

describe('the troubleshooting page', () => {
  for (const [kind, known] of Object.entries(examples)) {
    test(`shows what is said where the state is ${kind}`, () => {
      const state = swarmState(known)
      assert.equal(state.kind, kind)
      // this build's own version changes with each release
      const said = describeState(state, 'cli').replaceAll(`swarmtune ${version})`, 'swarmtune 0.1.0)')
      const shown = `\`\`\`\nswarm: ${said}\n\`\`\``
      assert.ok(page.includes(shown), `the page lacks this:\n${shown}`)
    })
  }

  test('names no message that the code does not say', () => {
    const folders = ['cli', 'client', 'common', 'model', 'network', 'runtime', 'server']
    const files = folders.flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter(file => file.endsWith('.ts'))
        .map(file => readFileSync(join(root, folder, file), 'utf8'))
    )
    const source = files.join('\n').replaceAll("\\'", "'")
    const messages = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(match => match[1]!)
    assert.ok(messages.length >= 20, `${messages.length} messages`)
    const pieces = messages.flatMap(message => message.split('…').map(piece => piece.trim()))
    const unsaid = pieces.filter(piece => piece.length > 3 && !source.includes(piece))
    assert.deepEqual(unsaid, [])
  })
})
