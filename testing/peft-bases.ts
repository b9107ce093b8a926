// The models that runs and adapters of PEFT are over, each served by a swarm of its own.
import type { DistributedModelForCausalLM } from '../client/index.ts'
import { referencePath } from './references.ts'
import { startSwarm } from './swarm.ts'
import { baseOf } from './tuning-runs.ts'

export interface Bases extends AsyncDisposable {
  /** the model under the run or adapter of this name */
  of(name: string): DistributedModelForCausalLM
}

/** Swarms of servers of these ranges of blocks, and a client of each. */
export async function startBases(ranges: readonly (readonly [number, number])[]): Promise<Bases> {
  const open = await Promise.all(
    ['adapters/base', 'adapters/biased', 'adapters/tied'].map(async path => {
      const swarm = await startSwarm(ranges, { path: referencePath(path) })
      return { path, swarm, model: await swarm.connect() }
    })
  )
  return {
    of: name => open.find(({ path }) => path === baseOf(name))!.model,
    async [Symbol.asyncDispose]() {
      for (const { model, swarm } of open) {
        await model.close()
        await swarm[Symbol.asyncDispose]()
      }
    }
  }
}
