// swarm train --preview ends as the run would: with all that is wrong, and a status that is not zero.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')

test('a preview prints what a run would do and all that would end it', t => {
  const folder = mkdtempSync(join(tmpdir(), 'swarm-preview-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'file'), '')
  const config = `model: ${join(root, 'models/tiny')}
train_file: ${join(root, 'data/capitals.jsonl')}
output_dir: ${join(folder, 'file/run')}
max_steps: 14
save_steps: 0.5
peft: { target_modules: [nope] }
`
  writeFileSync(join(folder, 'run.yaml'), config)
  const run = (...flags: string[]) =>
    spawnSync(
      process.execPath,
      [join(root, 'cli/bin.js'), 'train', '--config', join(folder, 'run.yaml'), '--preview', ...flags],
      {
        encoding: 'utf8',
        env: { ...process.env, SWARM_JOIN: '', SWARM_INVITE: '' }
      }
    )
  const { status, stdout, stderr } = run('--target-modules', 'q_proj')
  assert.match(stdout, /^training: 50 examples, 10 to 20 tokens, median 14, 305 of 708 tokens learned \(43 %\)$/m)
  assert.match(stdout, /^steps: 14 \(max_steps\), 7 an epoch, 2 epochs; 8 examples a batch, 1 batch a step$/m)
  assert.match(stdout, /checkpoints every 7 steps and at the end$/m)
  assert.match(stdout, /^adapter: LORA, 36,864 parameters to train$/m)
  assert.match(stdout, /^memory of this client: about \d+(?:\.\d)? MiB \(/m)
  assert.match(stdout, /^swarm: not tried \(/m)
  assert.match(stdout, /^⟦The capital of Alabama is⟧ Montgomery\./m)
  assert.match(stderr, /file\/run: cannot be written \(ENOTDIR\)/)
  assert.equal(status, 1)
  const wrong = run('--output-dir', join(folder, 'run'))
  assert.match(wrong.stderr, /no module matches 'nope'/)
  assert.equal(wrong.status, 1)
  assert.deepEqual(readdirSync(folder).sort(), ['file', 'run.yaml'])
})
