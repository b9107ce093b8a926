// LoRA learns the fifty capitals through three servers, by the commands that README names.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'

const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const data = join(root, 'data/capitals.jsonl')

async function swarm(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [join(root, 'cli/bin.js'), ...args])).stdout
}

test('at least 95 % of the capitals are answered exactly after twenty epochs', { timeout: 1200 * second }, async () => {
  const output = await mkdtemp(join(tmpdir(), 'swarm-capitals-'))
  const thirds = [0, 4, 8].map(first => ({ first, end: first + 4 }))
  const servers = await startServers(model, thirds)
  try {
    const access = ['--join', servers[0]!.address]
    const adapter = ['--target-modules', 'all-linear', '--r', '16', '--lora-alpha', '32']
    const schedule = ['--learning-rate', '4e-3', '--lr-scheduler-type', 'cosine']
    const length = ['--per-device-train-batch-size', '25', '--num-train-epochs', '20']
    await swarm('train', model, data, '--output-dir', output, ...adapter, ...schedule, ...length, ...access)
    const json = await swarm('eval', model, data, '--adapter', output, '--exact-match', '--json', ...access)
    const { questions, matched } = JSON.parse(json) as { questions: number; matched: number }
    assert.equal(questions, 50)
    assert.ok(matched / questions >= 0.95, `${matched} of ${questions}`)
  } finally {
    await Promise.all(servers.map(server => server.stop()))
    await rm(output, { recursive: true })
  }
})
