// The router's types, what handlers are given, and how a body that does not fit its schema is answered.
import { OpenAPIHono, type z } from '@hono/zod-openapi'
import type { Logger } from '../../client/index.ts'
import { invalid } from '../errors.ts'
import type { FileKeeper } from '../jobs/file-keeper.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { Store } from '../storage/store.ts'
import type { SwarmWatch } from '../swarm/watch.ts'

/** Who asks. */
export interface Caller {
  /** id of the key; null where no key is needed */
  readonly keyId: string | null
}

export interface ApiVariables {
  readonly caller: Caller
  readonly requestId: string
}

export type Api = OpenAPIHono<{ Variables: ApiVariables }>

/** What the handlers of all dialects share. */
export interface GatewayContext {
  readonly models: ModelRegistry
  readonly store: Store
  readonly files: FileKeeper
  readonly jobs: JobRunner
  readonly logger: Logger
  /** what the console shows of the swarm; who makes it stops it. Undefined: the console shows none */
  readonly swarm?: SwarmWatch
}

/** Adds the routes of one noun of one dialect. */
export type Routes = (api: Api, context: GatewayContext) => void

/** `messages[1].content` */
function pathOf(path: readonly PropertyKey[]): string {
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${String(key)}`)).join('')
}

type Issue = z.core.$ZodIssue

/** Of a value that fits no branch of a union: what is wrong with the branch that it comes nearest to, by the depth of its first fault. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue
  const branches = issue.errors.flatMap(([first]) => (first === undefined ? [] : [innermost(first)]))
  const [nearest] = branches.toSorted((a, b) => b.path.length - a.path.length)
  if (nearest === undefined || (nearest.path.length === 0 && nearest.code !== 'unrecognized_keys')) return issue
  return { ...nearest, path: [...issue.path, ...nearest.path] }
}

/** A router whose handlers get bodies that fit their schemas; others are an ApiError 400 that names the field. */
export function createApi(): Api {
  return new OpenAPIHono<{ Variables: ApiVariables }>({
    defaultHook(result) {
      if (result.success) return
      const [outer] = result.error.issues
      const issue = outer === undefined ? undefined : innermost(outer)
      const keys = issue?.code === 'unrecognized_keys' ? issue.keys : []
      const place = pathOf([...(issue?.path ?? []), ...keys.slice(0, 1)])
      const found =
        keys.length > 0 ? `unsupported field${keys.length > 1 ? 's' : ''} ${keys.join(', ')}` : issue?.message
      throw invalid(`${place === '' ? 'body' : place}: ${found}`, place === '' ? null : place)
    }
  })
}
