// Every tuning method for every task through two servers: twenty steps are those of PEFT (scripts/reference/tasks.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { taskRuns } from '../../../../testing/tuning-runs.ts'
import { followRun, rankPattern, readReferences } from './follow-run.ts'
import { tasks } from './tasks.ts'

const path = referencePath('adapters', 'base')

for (const [task, open] of Object.entries(tasks)) {
  describe(`${task} through two servers`, () => {
    let swarm: TestSwarm
    before(async () => {
      const ranges = [
        [0, 2],
        [1, 3]
      ] as const
      swarm = await startSwarm(ranges, { path })
    })
    after(() => swarm[Symbol.asyncDispose]())

    for (const [name, learningRate, config] of taskRuns) {
      it(`learns in twenty steps of '${name}' what PEFT learns`, async context => {
        const expected = readReferences('tasks', `${task}-${name}.safetensors`)
        const { model, lossOf } = await open(path, { initialPeers: swarm.join }, config)
        try {
          await followRun(model, expected, learningRate, lossOf)
          assert.ok([...model.parts.parameters.values()].every(({ grad, requiresGrad }) => !grad && !requiresGrad))
          const ranks = rankPattern(expected)
          if (ranks === null) return
          const folder = await temporaryFolder(context as never)
          await model.savePretrained(folder)
          const saved = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))
          assert.deepEqual(saved.rank_pattern, ranks)
        } finally {
          await model.close()
        }
      })
    }
  })
}
