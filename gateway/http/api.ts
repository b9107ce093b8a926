// The router's types, what handlers are given, and how a body that does not fit its schema is answered.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Logger } from '../../client/index.ts'
import type { FileKeeper } from '../jobs/file-keeper.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { ApiKey } from '../storage/keys.ts'
import type { Store } from '../storage/store.ts'
import type { SwarmWatch } from '../swarm/watch.ts'
import { bodyFault } from './body-fault.ts'
import { GatewayMetrics } from './metrics.ts'
import { RateLimits } from './rate-limits.ts'
import { RecentLogs } from './recent-logs.ts'
import { OpenRequests, type RequestScope } from './scope.ts'
import { defaultSettings, type GatewaySettings } from './settings.ts'
import { TurnQueue } from './turns.ts'

/** Who asks. */
export interface Caller {
  /** id of the key; null where no key is needed */
  readonly keyId: string | null
  /** may see and change keys, and see requests of all callers */
  readonly isOperator: boolean
}

export interface ApiVariables {
  readonly caller: Caller
  readonly requestId: string
  readonly scope: RequestScope
  /** undefined: the request brought none */
  readonly key?: ApiKey
}

/** Node's own objects; absent where a request came over no socket. */
export interface ApiBindings {
  readonly incoming?: IncomingMessage
  readonly outgoing?: ServerResponse
}

export interface ApiEnv {
  Variables: ApiVariables
  Bindings: ApiBindings
}

export type Api = OpenAPIHono<ApiEnv>

/** What a gateway is made of; its owner opens and closes it. */
export interface GatewayComponents {
  readonly models: ModelRegistry
  readonly store: Store
  readonly files: FileKeeper
  readonly jobs: JobRunner
  readonly logger: Logger
  /** what the console shows of the swarm; who makes it stops it. Undefined: the console shows none */
  readonly swarm?: SwarmWatch
}

/** What the handlers of all dialects share. */
export interface GatewayContext extends GatewayComponents {
  /** keeps the latest lines for the operator */
  readonly logger: RecentLogs
  readonly settings: GatewaySettings
  readonly admission: TurnQueue
  readonly limits: RateLimits
  readonly metrics: GatewayMetrics
  readonly open: OpenRequests
}

/** A context with these settings; what is not given is as in `defaultSettings`. */
export function createGatewayContext(
  components: GatewayComponents,
  given: Partial<GatewaySettings> = {}
): GatewayContext {
  const settings = { ...defaultSettings, ...given }
  const admission = new TurnQueue(settings)
  const open = new OpenRequests()
  const metrics = new GatewayMetrics(
    () => ({
      running: admission.running,
      queued: admission.queued,
      models: components.models.list().length,
      connections: open.size
    }),
    () => components.store.jobs.counts()
  )
  const logger = components.logger instanceof RecentLogs ? components.logger : new RecentLogs(components.logger)
  return { ...components, logger, settings, admission, limits: new RateLimits(), metrics, open }
}

/** Adds the routes of one noun of one dialect. */
export type Routes = (api: Api, context: GatewayContext) => void

/** A router that checks bodies by their schemas: one that does not fit is an ApiError 400 that names the field. */
export function createApi(): Api {
  return new OpenAPIHono<ApiEnv>({
    defaultHook(result) {
      // the validator passes what it checked, but its types leave that out where it did not fit
      if (!result.success) throw bodyFault(result.error, (result as { data?: unknown }).data)
    }
  })
}
