// What the gateway says of itself: its models, and what this key may do.
import { getJson } from './api.ts'
import { createStore } from './store.ts'

export interface PageModel {
  readonly id: string
  /** id of the model under an adapter; null for a base model */
  readonly baseId: string | null
  readonly hasChatTemplate: boolean
  /** tokens of prompt and answer together */
  readonly contextLength: number
}

export interface Session {
  readonly version: string
  readonly models: readonly PageModel[]
  /** whether this caller may see keys, requests and logs */
  readonly isOperator: boolean
}

/** null: not known yet */
export const session = createStore<Session | null>(null)

/** Asks again. Throws RequestError. */
export async function loadSession(): Promise<Session> {
  const found = await getJson<Session>('/console/api/session')
  session.set(found)
  return found
}
