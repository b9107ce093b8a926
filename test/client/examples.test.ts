// The examples run as their first lines say.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { readReference } from '../../testing/references.ts'
import { startSwarm } from '../../testing/swarm.ts'

const root = join(import.meta.dirname, '..', '..')

it('examples/generate.ts continues a text', async () => {
  await using swarm = await startSwarm([
    [0, 6],
    [6, 12]
  ])
  const { alone } = readReference<{ alone: { prompt: string; text: string }[] }>('tiny-greedy.json')
  const { prompt, text } = alone[0]!
  const command = [join('examples', 'generate.ts'), swarm.join[0]!, prompt]
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root })
  const [first] = stdout.split('\n\n')
  assert.ok(`${prompt}${text}`.startsWith(first!.trimEnd()), stdout)
  assert.equal(stdout.split(prompt).length, 3)
})

it('examples/ai-sdk.ts streams a text, writes an object of its schema and embeds', async () => {
  await using swarm = await startSwarm([[0, 12]])
  const command = [join('examples', 'ai-sdk.ts'), swarm.join[0]!]
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root })
  const [object, vector] = stdout.trimEnd().split('\n').slice(-2) as [string, string]
  const { name, age, ...rest } = JSON.parse(object) as { name: string; age: number }
  assert.ok([...name].length <= 20 && Number.isInteger(age) && age >= 0 && age <= 120, object)
  assert.deepEqual(rest, {})
  assert.equal(vector, 'a vector of 192 numbers')
})
