// A server on this machine that answers like the Hugging Face Hub, and a second one that plays its store of large files. What goes
// wrong is up to the test.
import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { dirname, join, relative } from 'node:path'
import type { TestContext } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

export interface FakeHub {
  readonly endpoint: string
  readonly commit: string
  /** bytes of every answer to a request for a file's content, by file */
  readonly sent: Map<string, number>
  /** authorization headers that the store of large files has seen */
  readonly storeSawTokens: string[]
  /** requests that the hub itself has answered */
  requests: number
  /** answers are cut off after this many bytes, this many times; with `taken`, once the client has taken what was sent */
  cut: { afterBytes: number; times: number; taken?: () => Promise<unknown> }
  /** answers to requests for content have this status instead */
  failWith: number | undefined
  /** the last byte of these files is another one than their hash says */
  readonly spoilt: Set<string>
  /** what the hub says of the model, instead of what is true */
  readonly says: {
    commit?: unknown
    entry?: { path?: unknown; size?: unknown; oid?: unknown; lfs?: unknown }
    nextPage?: string
  }
  /** where the hub sends requests for large files, instead of to its store */
  redirect: string | undefined
  /** where set, who does not send it is refused */
  token: string | undefined
  stop(): Promise<void>
}

const isLarge = (file: string) => /\.(safetensors|bin|pt)$|^tokenizer\.json$/.test(file)

/** The certificate of the store of large files: other processes trust it by NODE_EXTRA_CA_CERTS. */
export const storeCertificatePath = join(import.meta.dirname, 'fixtures/store-certificate.pem')

/** A certificate for 127.0.0.1 that signs itself, and its key; made for these tests. */
const fixture = (name: string): Promise<string> => readFile(join(import.meta.dirname, 'fixtures', name), 'utf8')

function listen(server: Server): Promise<Server> {
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** An https server whose certificate this process trusts. */
async function listenSecurely(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const [cert, key] = await Promise.all([fixture('store-certificate.pem'), fixture('store-key.pem')])
  setDefaultCACertificates([...getCACertificates('default'), cert])
  return await listen(createSecureServer({ cert, key }, answer))
}

const originOf = (server: Server, protocol = 'http') =>
  `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`

function stopServer(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise(resolve => server.close(() => resolve()))
}

/** Serves the files of a folder as the model `acme/<any>`. Stopped when the test ends. */
export async function startFakeHub(context: TestContext, folder: string): Promise<FakeHub> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const pathOf = (entry: Dirent): string => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/')
  const names = entries.filter(entry => entry.isFile()).map(pathOf)
  const folders = entries.filter(entry => entry.isDirectory()).map(pathOf)
  const files = new Map(await Promise.all(names.map(async name => [name, await readFile(join(folder, name))] as const)))
  const commit = createHash('sha1').update(names.join()).digest('hex')

  const sendContent = (name: string, request: IncomingMessage, response: ServerResponse) => {
    if (hub.failWith !== undefined) return void response.writeHead(hub.failWith).end()
    const content = Buffer.from(files.get(name)!)
    if (hub.spoilt.has(name)) content[content.length - 1] = content.at(-1)! ^ 0xff
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const part = content.subarray(Number(start), Number(end) + 1)
    response.writeHead(206, {
      'content-length': part.length,
      'content-range': `bytes ${start}-${Number(start) + part.length - 1}/${content.length}`
    })
    const cut = hub.cut.times > 0 && part.length > hub.cut.afterBytes
    const sent = cut ? part.subarray(0, hub.cut.afterBytes) : part
    hub.sent.set(name, (hub.sent.get(name) ?? 0) + sent.length)
    if (!cut) return void response.end(sent)
    hub.cut.times--
    // what is under way when a connection breaks is lost
    const { taken = () => new Promise(done => setTimeout(done, 20)) } = hub.cut
    response.write(sent, () => void taken().then(() => response.destroy()))
  }

  const store = await listenSecurely((request, response) => {
    if (request.headers.authorization !== undefined) hub.storeSawTokens.push(request.headers.authorization)
    sendContent(decodeURIComponent(request.url!.slice('/store/'.length)), request, response)
  })

  const entryOf = (path: string) => {
    const content = files.get(path)!
    const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
    const sha256 = createHash('sha256').update(content).digest('hex')
    const size = content.length
    return { type: 'file', path, size, oid, ...(isLarge(path) ? { lfs: { oid: sha256, size, pointerSize: 130 } } : {}) }
  }

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    hub.requests++
    const json = (value: unknown, status = 200) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (hub.token !== undefined && request.headers.authorization !== `Bearer ${hub.token}`) {
      return json({ error: 'Access to this model is restricted' }, 401)
    }
    const { pathname } = new URL(request.url!, 'http://hub')
    const info = /^\/api\/models\/acme\/[^/]+\/revision\/([^/]+)$/.exec(pathname)
    if (info && ['main', 'v1', commit].includes(info[1]!))
      return json({ _id: '1', id: 'acme/model', sha: hub.says.commit ?? commit })
    const tree = /^\/api\/models\/acme\/[^/]+\/tree\/[^/]+(?:\/(.+))?$/.exec(pathname)
    if (tree) {
      const within = (path: string): boolean => dirname(path) === (tree[1] ?? '.')
      if (hub.says.nextPage !== undefined) response.setHeader('link', `<${hub.says.nextPage}>; rel="next"`)
      const below = folders.filter(within).map(path => ({ type: 'directory', path, size: 0, oid: commit }))
      const here = names.filter(within).map(entryOf)
      return json([...below, ...here.map(entry => ({ ...entry, ...hub.says.entry }))])
    }
    const [, name] = /^\/acme\/[^/]+\/resolve\/[^/]+\/(.+)$/.exec(pathname) ?? []
    if (name === undefined || !files.has(name)) return json({ error: 'Repository not found' }, 404)
    if (!isLarge(name)) return sendContent(name, request, response)
    response.writeHead(302, { location: hub.redirect ?? `${originOf(store, 'https')}/store/${name}` }).end()
  }
  const main = await listen(createServer(answer))

  const hub: FakeHub = {
    endpoint: originOf(main),
    commit,
    sent: new Map(),
    storeSawTokens: [],
    requests: 0,
    cut: { afterBytes: 0, times: 0 },
    failWith: undefined,
    spoilt: new Set(),
    says: {},
    redirect: undefined,
    token: undefined,
    stop: async () => {
      await Promise.all([stopServer(main), stopServer(store)])
    }
  }
  context.after(() => hub.stop())
  return hub
}
