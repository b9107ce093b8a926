// The console in a real Chromium, over a gateway of this process.
import { accessSync, constants } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before } from 'node:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { joinSwarm, type Swarm } from '../client/index.ts'
import type { GatewaySettings } from '../gateway/http/settings.ts'
import { createGateway, type Gateway } from '../gateway/server.ts'
import { openStore, type Store } from '../gateway/storage/store.ts'
import { SwarmWatch } from '../gateway/swarm/watch.ts'
import { chatTemplate, gatewayOver, served } from './gateway.ts'
import type { TestSwarm } from './swarm.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Path of the browser: `CHROMIUM`, else what the PATH has. Throws where there is none. */
function findChromium(): string {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = folders.flatMap(folder => names.map(name => join(folder, name))).find(isProgram)
  if (found !== undefined) return found
  throw new Error('the tests of the console need Chromium. Run: apt-get install chromium, or set CHROMIUM to its path')
}

/** A page, and what went wrong in it: errors of scripts, refused content, dialogs, requests to other hosts. */
export interface TestPage {
  readonly page: Page
  readonly faults: readonly string[]
}

export interface TestConsole {
  readonly url: string
  readonly gateway: Gateway
  /** A new page in a profile of its own, closed with the console. */
  open(path?: string, options?: BrowserContextOptions): Promise<TestPage>
}

async function openPage(browser: Browser, url: string, options: BrowserContextOptions): Promise<TestPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const faults: string[] = []
  page.on('pageerror', error => faults.push(`error: ${error.message}`))
  page.on('console', message => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
  })
  page.on('dialog', dialog => {
    if (dialog.type() === 'alert') faults.push(`alert: ${dialog.message()}`)
    void dialog.accept()
  })
  page.on('request', request => {
    const { protocol, origin } = new URL(request.url())
    if (!['data:', 'blob:'].includes(protocol) && origin !== new URL(url).origin)
      faults.push(`request: ${request.url()}`)
  })
  await page.goto(url)
  return { page, faults }
}

/**
 * A gateway with the console and a browser, up for all tests of the `describe` that calls this, after its swarm. It serves `tiny` with a
 * chat template, and `tiny-base` without one.
 */
export function useConsole(swarm: () => TestSwarm, settings: Partial<GatewaySettings> = {}): TestConsole {
  const used = {} as {
    gateway: Gateway
    browser: Browser
    joined: Swarm
    watch: SwarmWatch
    store: Store
    home: string
    close: () => Promise<void>
  }
  before(async () => {
    used.browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox'] })
    used.joined = await joinSwarm({ initialPeers: swarm().join })
    const model = await swarm().connect()
    used.watch = new SwarmWatch(looking => used.joined.survey(looking), { viewedMs: 300 })
    used.home = await mkdtemp(join(tmpdir(), 'swarm-console-'))
    used.store = await openStore(used.home)
    const { name } = model.parts.checkpoint
    const template = model.tokenizer.chatTemplate ?? chatTemplate
    const models = [served(model, { id: name, template }), served(model, { id: `${name}-base`, template: null })]
    const { context } = gatewayOver(models, used.store, settings)
    used.gateway = createGateway({ ...context, swarm: used.watch }, { port: 0 })
    used.close = () => model.close()
    await used.gateway.start()
  })
  after(async () => {
    await used.browser?.close()
    await used.watch?.stop()
    await used.gateway?.stop()
    used.store?.close()
    if (used.home) await rm(used.home, { recursive: true, force: true })
    await used.close?.()
    await used.joined?.close()
  })
  return {
    get url() {
      return used.gateway.url
    },
    get gateway() {
      return used.gateway
    },
    open: (path = '/', options = {}) => openPage(used.browser, used.gateway.url + path, options)
  }
}

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string
    readonly help: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
  }[]
}

/** What axe finds serious or critical in the page as it is now, as lines. */
export async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(axe, 'utf8'))
  const { violations } = (await page.evaluate('axe.run()')) as AxeResult
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 160)}`))
}
