// All readers of foreign bytes that the fuzzer knows.
import type { FuzzTarget } from '../target.ts'
import { apiTarget } from './api.ts'
import { dhtTarget } from './dht.ts'
import { fileTargets } from './files.ts'
import { requestsTarget } from './requests.ts'
import { wireTargets } from './wire.ts'

export const fuzzTargets: readonly FuzzTarget[] = [...wireTargets, requestsTarget, dhtTarget, ...fileTargets, apiTarget]

export function targetOf(name: string): FuzzTarget | undefined {
  return fuzzTargets.find(target => target.name === name)
}
