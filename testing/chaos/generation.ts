// A greedy generation in bad weather: its tokens must be the reference's, and how long it stood still is told.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AutoDistributedModelForCausalLM, type DistributedModelForCausalLM } from '../../client/index.ts'
import type { Logger } from '../../common/logger.ts'
import { tinyPath } from '../references.ts'
import { type ChaosServer, type ChaosSwarm, isUp, root } from './swarm.ts'

interface Greedy {
  readonly newTokens: number
  readonly alone: readonly { ids: number[]; tokens: number[] }[]
}

/** what Hugging Face transformers generates */
export const greedy = JSON.parse(readFileSync(join(root, 'test/reference/tiny-greedy.json'), 'utf8')) as Greedy
const [reference] = greedy.alone as [Greedy['alone'][number]]

export interface ChaosClient extends AsyncDisposable {
  readonly model: DistributedModelForCausalLM
  /** the servers of the session that was opened last, in order */
  chain(): readonly ChaosServer[]
  /** how often servers of its sessions were replaced */
  replacements(): number
}

/** A client of the swarm that knows which servers its sessions are on. */
export async function connect(swarm: ChaosSwarm): Promise<ChaosClient> {
  let route: readonly string[] = []
  let replacements = 0
  const debug = (fields: object, message: string): void => {
    if (message === 'session opened') route = (fields as { route: string[] }).route
    if (message === 'servers were replaced') replacements += 1
    if (process.env.CHAOS_LOG) console.log(`    ${performance.now().toFixed(0)} ${message}`, fields)
  }
  const logger: Logger = { debug, info: debug, warn: debug, error: debug }
  const model = await AutoDistributedModelForCausalLM.fromPretrained(tinyPath, {
    initialPeers: swarm.servers.filter(({ peer }) => isUp(peer)).map(({ peer }) => peer.address),
    logger
  })
  const chain = (): ChaosServer[] =>
    route.map(text => {
      const [, end] = /…(\S+),/.exec(text)!
      return swarm.servers.findLast(server => server.peerId.endsWith(end!))!
    })
  return { model, chain, replacements: () => replacements, [Symbol.asyncDispose]: () => model.close() }
}

export interface Trial {
  /** seconds that the longest step took beyond the usual one, from when trouble began */
  readonly recoverySeconds: number
}

/**
 * Generates what the reference has, with trouble after some steps, and asserts that every token is right.
 * @param troubles after how many tokens what happens; a promise is waited for before the next step
 */
export async function generateGreedy(
  { model, chain }: ChaosClient,
  troubles: Readonly<Record<number, (chain: readonly ChaosServer[]) => void | Promise<void>>>
): Promise<Trial> {
  const tokens: number[] = []
  const usual: number[] = []
  let [since, longest, isTroubled] = [performance.now(), 0, false]
  for await (const { token } of model.generateStream(reference.ids, { maxNewTokens: greedy.newTokens })) {
    const took = performance.now() - since
    if (isTroubled) longest = Math.max(longest, took)
    else if (tokens.length > 0) usual.push(took)
    tokens.push(token!)
    const trouble = troubles[tokens.length]
    if (trouble !== undefined) {
      await trouble(chain())
      isTroubled = true
    }
    since = performance.now()
  }
  assert.deepEqual(tokens, reference.tokens)
  const middle = usual.toSorted((a, b) => a - b)[usual.length >> 1] ?? 0
  return { recoverySeconds: Math.max(0, longest - middle) / 1000 }
}

/** Runs with a client whose first generation is over: compiled, and measured. */
export async function withClient(swarm: ChaosSwarm, run: (client: ChaosClient) => Promise<void>): Promise<void> {
  const client = await connect(swarm)
  try {
    await generateGreedy(client, {})
    await run(client)
  } finally {
    await client[Symbol.asyncDispose]()
  }
}

/** What a scenario prints. */
export function tell(what: string, { recoverySeconds }: Trial): void {
  console.log(`    ${what}: ${recoverySeconds.toFixed(2)} s`)
}
