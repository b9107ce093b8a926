// The API on a real socket of this machine, for clients that nobody here wrote.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before } from 'node:test'
import { serve } from '@hono/node-server'
import OpenAI from 'openai'
import type { GatewaySettings } from '../gateway/http/settings.ts'
import type { Served } from '../gateway/models/served-model.ts'
import type { Store } from '../gateway/storage/store.ts'
import { gatewayOver } from './gateway.ts'

export interface GatewayServer {
  /** `http://127.0.0.1:49152` */
  readonly url: string
  stop(): Promise<void>
}

/** Listens on a free port of loopback. */
export async function listen(
  models: readonly Served[],
  store?: Store,
  settings?: Partial<GatewaySettings>
): Promise<GatewayServer> {
  const { api } = gatewayOver(models, store, settings)
  const server = serve({ fetch: api.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await once(server, 'close')
    }
  }
}

/** The API and OpenAI's client of it, up for all tests of the `describe` that calls this, after its swarm. */
export function useGateway(models: () => readonly Served[]): { readonly url: string; readonly client: OpenAI } {
  const used = {} as { url: string; client: OpenAI; server: GatewayServer }
  before(async () => {
    used.server = await listen(models())
    used.url = used.server.url
    used.client = new OpenAI({ baseURL: `${used.url}/v1`, apiKey: 'none', maxRetries: 0 })
  })
  after(async () => {
    await used.server?.stop()
  })
  return used
}
