// What the Python clients of OpenAI's and other dialects sent, sent again: the answers have the content that those clients understood.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoryStore, openStore } from '../../gateway/storage/store.ts'
import { agentTemplate, gatewayOver, served, toolTemplate } from '../../testing/gateway.ts'
import { readReference } from '../../testing/references.ts'
import { useSwarm } from '../../testing/swarm.ts'
import { temporaryFolder } from '../model/support.ts'

interface Exchange {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly status: number
  readonly contentType: string
  readonly answer: string
}

interface Recorded {
  readonly versions: Readonly<Record<string, string>>
  /** patterns of what changes with every run */
  readonly masks: { readonly ids: string; readonly times: string }
  readonly cases: readonly {
    readonly client: string
    readonly name: string
    readonly exchanges: readonly Exchange[]
    readonly result: unknown
  }[]
}

const { cases, masks, versions } = readReference<Recorded>('gateway-clients.json')

/** As `masked` of scripts/reference/gateway_clients.py. */
function mask(text: string, ids: string[]): string {
  return text.replaceAll(new RegExp(masks.times, 'g'), '$10').replaceAll(new RegExp(masks.ids, 'g'), id => {
    if (!ids.includes(id)) ids.push(id)
    return `<id ${ids.indexOf(id)}>`
  })
}

/** Ids of this run in the place of those of the recorded one. */
const unmask = (text: string, ids: readonly string[]): string =>
  text.replaceAll(/<id (\d+)>/g, (_, at: string) => ids[Number(at)] ?? `unknown-${at}`)

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** An answer's values: one, one a line, or one an event. */
function parse(text: string, contentType: string): unknown {
  if (contentType.startsWith('application/x-ndjson')) return text.trim().split('\n').map(parseIfJson)
  if (!contentType.startsWith('text/event-stream')) return parseIfJson(text)
  const events = text.split('\n\n').filter(event => event !== '' && !event.startsWith(':'))
  return events.map(event =>
    Object.fromEntries(
      event.split('\n').map(line => {
        const end = line.indexOf(': ')
        return [line.slice(0, end), parseIfJson(line.slice(end + 2))]
      })
    )
  )
}

/** Float32 numbers in base64, as OpenAI's clients ask for embeddings. */
const floatsOf = (text: string): number[] => [...new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)]

/** Every recorded value is there; objects may have gained fields, and kernels of another machine may round otherwise. */
function assertWithin(actual: unknown, recorded: unknown, place: string): void {
  if (typeof recorded === 'number' && typeof actual === 'number') {
    assert.ok(Math.abs(actual - recorded) <= 1e-3, `${place}: expected ${recorded}, found ${actual}`)
  } else if (Array.isArray(recorded)) {
    assert.ok(Array.isArray(actual), `${place}: expected a list, found ${JSON.stringify(actual)}`)
    assert.equal(actual.length, recorded.length, `${place}: ${JSON.stringify(actual)}`)
    for (const [at, value] of recorded.entries()) assertWithin(actual[at], value, `${place}[${at}]`)
  } else if (typeof recorded === 'object' && recorded !== null) {
    assert.ok(typeof actual === 'object' && actual !== null, `${place}: expected an object, found ${actual}`)
    for (const [key, value] of Object.entries(recorded)) {
      const [found, expected]: readonly unknown[] = [(actual as Record<string, unknown>)[key], value]
      // a table of measured speeds has no fixed length
      if (key === 'bytes' && 'purpose' in recorded && recorded.purpose === 'fine-tune-results') {
        assert.ok(typeof found === 'number' && found > 0, `${place}.${key}`)
        continue
      }
      // the words of an error may change
      if (['message', 'error'].includes(key) && typeof expected === 'string') {
        assert.equal(typeof found, 'string', `${place}.${key}`)
        continue
      }
      const isEncoded = key === 'embedding' && typeof expected === 'string' && typeof found === 'string'
      if (isEncoded) assertWithin(floatsOf(found), floatsOf(expected), `${place}.${key}`)
      else assertWithin(found, expected, `${place}.${key}`)
    }
  } else {
    assert.deepEqual(actual, recorded, place)
  }
}

describe('requests as the Python clients send them', () => {
  const used = useSwarm([[0, 12]])

  for (const { client, name, exchanges } of cases) {
    it(`${client} ${versions[client]}: ${name.replaceAll('_', ' ')}`, async context => {
      const keepsFiles = exchanges.some(({ path }) => path.startsWith('/v1/files'))
      const store = keepsFiles ? await openStore(await temporaryFolder(context)) : memoryStore()
      context.after(() => store.close())
      const { api } = gatewayOver(
        [served(used.model, { template: toolTemplate }), served(used.model, { id: 'agent', template: agentTemplate })],
        store
      )
      const ids: string[] = []
      for (const { method, path, headers, body, status, contentType, answer } of exchanges) {
        const found = await api.request(unmask(path, ids), {
          method,
          headers,
          ...(body !== '' && { body: unmask(body, ids) })
        })
        const text = mask(await found.text(), ids)
        assert.equal(found.status, status, text)
        assert.equal(found.headers.get('content-type')?.split(';')[0], contentType.split(';')[0])
        assertWithin(parse(text, contentType), parse(answer, contentType), path)
      }
    })
  }
})
