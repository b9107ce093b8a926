// Training runs as processes: killed, interrupted and resumed to the same bytes, and stopped by a full disk without loss.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { type PeerProcess, startPeer, startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'

const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const steps = 20

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

describe('training runs', { timeout: 240 * second }, () => {
  let home: string
  let servers: PeerProcess[] = []

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-training-'))
    await mkdir(join(home, 'spare'))
    const halves = [
      { first: 0, end: 6 },
      { first: 6, end: 12 }
    ]
    servers = await startServers(model, halves, { env: { SWARM_HOME: join(home, 'data') } })
  })

  after(async () => {
    await Promise.all(servers.map(server => server.stop()))
    await rm(home, { recursive: true, force: true })
  })

  /** Runs `swarm` to its end; `onLine` may end it before. */
  async function swarm(args: string[], onLine: (line: string, child: ChildProcess) => void = () => {}): Promise<Ended> {
    const env = { ...process.env, TMPDIR: join(home, 'spare') }
    const child = spawn(process.execPath, [join(root, 'cli/bin.js'), ...args], { cwd: root, stdio: 'pipe', env })
    const output: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }
    createInterface({ input: child.stdout }).on('line', line => {
      output.stdout += `${line}\n`
      onLine(line, child)
    })
    child.stderr.on('data', (text: Buffer) => {
      output.stderr += text.toString()
    })
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return { code, signal, ...output }
  }

  /** A configuration file whose run is in the folder of the name. */
  async function configure(name: string, peft: object, more: object = {}): Promise<{ file: string; output: string }> {
    const [file, output] = [join(home, `${name}.yaml`), join(home, name)]
    const config = {
      model,
      train_file: 'data/capitals.jsonl',
      output_dir: output,
      initial_peers: [servers[0]!.address],
      peft,
      max_steps: steps,
      save_steps: 10,
      per_device_train_batch_size: 5,
      gradient_accumulation_steps: 2,
      learning_rate: 4e-3,
      lr_scheduler_type: 'cosine',
      warmup_steps: 2,
      validation_split: 0.2,
      eval_steps: 8,
      ...more
    }
    await writeFile(file, stringify(config))
    return { file, output }
  }

  const adapterOf = (output: string): Promise<Buffer> => readFile(join(output, 'adapter_model.safetensors'))

  /** Ends the process once it has shown the step. */
  const endAt = (step: number, signal: NodeJS.Signals) => (line: string, child: ChildProcess) => {
    if (line.startsWith(`${step}/${steps} `)) child.kill(signal)
  }

  const methods = [
    { peft_type: 'LORA', r: 4, lora_dropout: 0.1, target_modules: ['q_proj', 'v_proj'] },
    { peft_type: 'ADALORA', init_r: 4, target_r: 2, tinit: 2, tfinal: 4, target_modules: ['q_proj', 'v_proj'] }
  ]
  for (const peft of methods) {
    test(`${peft.peft_type}: 20 steps, and 10 with kill -9 and 10 after it, leave the same bytes`, async () => {
      const whole = await configure(`whole-${peft.peft_type}`, peft)
      const { code, stderr } = await swarm(['train', '--config', whole.file])
      assert.equal(code, 0, stderr)

      const killed = await configure(`killed-${peft.peft_type}`, peft)
      const ended = await swarm(['train', '--config', killed.file], endAt(13, 'SIGKILL'))
      assert.equal(ended.signal, 'SIGKILL')
      const resumed = await swarm(['train', '--config', killed.file, '--resume'])
      assert.equal(resumed.code, 0, resumed.stderr)
      assert.match(resumed.stdout, /^11\/20 /m)
      assert.doesNotMatch(resumed.stdout, /^10\/20 /m)
      assert.deepEqual(await adapterOf(killed.output), await adapterOf(whole.output))
      const losses = async (output: string) =>
        (await readFile(join(output, 'metrics.jsonl'), 'utf8')).match(/"step":\d+|"(eval_)?loss":[\d.]+/g)
      assert.deepEqual(await losses(killed.output), await losses(whole.output))
    })
  }

  test('Ctrl-C saves where the run is, and it goes on from there by its folder alone', async () => {
    const { file, output } = await configure('interrupted', methods[0]!)
    const ended = await swarm(['train', '--config', file], endAt(4, 'SIGINT'))
    assert.equal(ended.code, 130)
    const [, step] = /interrupted at step (\d+) of 20; resume from .*checkpoint-\1$/m.exec(ended.stderr)!
    assert.deepEqual(
      (await readdir(output)).filter(name => name.startsWith('checkpoint')),
      [`checkpoint-${step}`]
    )
    const resumed = await swarm(['train', '--resume', join(output, `checkpoint-${step}`)])
    assert.equal(resumed.code, 0, resumed.stderr)
    assert.deepEqual(await adapterOf(output), await adapterOf(join(home, 'whole-LORA')))
  })

  test('with another configuration, dataset or model is not resumed, and nothing of it is lost', async () => {
    const { file, output } = await configure('killed-LORA', methods[0]!)
    const otherModel = join(home, 'other-model')
    await cp(model, otherModel, { recursive: true })
    const settings = await readFile(join(model, 'config.json'), 'utf8')
    await writeFile(
      join(otherModel, 'config.json'),
      settings.replace(/"rms_norm_eps": [^,\n]*/, '"rms_norm_eps": 0.002')
    )
    const prompts = join(home, 'prompts.yaml')
    const config = parse(await readFile(file, 'utf8')) as object
    await writeFile(prompts, stringify({ ...config, peft: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4 } }))
    const otherData = join(home, 'other.jsonl')
    const rows = (await readFile(join(root, 'data/capitals.jsonl'), 'utf8')).split('\n')
    await writeFile(
      otherData,
      rows.with(3, '{"prompt": "The capital of Wonderland is", "completion": " Here."}').join('\n')
    )
    const kept = async () =>
      Promise.all(
        (await readdir(output, { recursive: true, withFileTypes: true }))
          .filter(entry => entry.isFile())
          .map(async ({ parentPath, name }) => [join(parentPath, name), await readFile(join(parentPath, name), 'hex')])
      )
    const before = await kept()
    const wrong: [string[], RegExp][] = [
      [['--r', '8'], /checkpoint-20 is of another run \(peft\.r: the checkpoint has 4, this run 8\): resume with/],
      [
        ['--seed', '1', '--validation-split', '0.3'],
        /dataset\.examples: the checkpoint has 40, this run 35; .*training\.seed/
      ],
      [['--config', prompts], /run \(peft\.peftType: the checkpoint has "LORA", this/],
      [
        ['--train-file', otherData],
        /another run \(dataset\.sha256: the checkpoint has [0-9a-f]{8}, this run [0-9a-f]{8}\):/
      ],
      [
        ['--model', otherModel],
        /another run \(model: the checkpoint has [0-9a-f]{8}, this run [0-9a-f]{8}\): resume with/
      ],
      [
        ['--max-steps', '19'],
        /checkpoint-20: 20 steps are done, but the run has 19 in all \(raise --max-steps or --num-train-epochs\)/
      ]
    ]
    for (const [args, message] of wrong) {
      const { code, stderr } = await swarm(['train', '--config', file, '--resume', ...args])
      assert.equal(code, 1)
      assert.match(stderr, message)
      assert.deepEqual(await kept(), before)
    }
  })

  test('a module that no block has ends the command with the names there are', { timeout: 60 * second }, async () => {
    const { file } = await configure('unmatched', { ...methods[0], target_modules: ['c_attn'] })
    const { code, stderr } = await swarm(['train', '--config', file])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /no module matches 'c_attn'; a block has self_attn\.q_proj, self_attn\.k_proj, .*mlp\.down_proj/
    )
  })

  test('the data says what is trained: rows with a label a classifier', async () => {
    const rows = ['up', 'down', 'up', 'down'].map((label, index) => JSON.stringify({ text: `the way ${index}`, label }))
    const train_file = join(home, 'ways.jsonl')
    await writeFile(train_file, rows.join('\n'))
    const more = {
      train_file,
      validation_split: 0.5,
      max_steps: 2,
      eval_steps: 1,
      load_best_model_at_end: true,
      metric_for_best_model: 'accuracy',
      greater_is_better: true
    }
    const { file, output } = await configure('classifier', methods[0]!, more)
    const { code, stdout, stderr } = await swarm(['train', '--config', file])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /labels: down, up/)
    assert.match(stdout, /eval at 2: loss \d\.\d+ accuracy [01]\.\d+ f1 [01]\./)
    const adapter = JSON.parse(await readFile(join(output, 'adapter_config.json'), 'utf8')) as { task_type: string }
    assert.equal(adapter.task_type, 'SEQ_CLS')
    // a checkpoint with a head of its own says in which order its classes are
    await writeFile(join(output, 'labels.json'), '["up", "down"]')
    const merged = join(home, 'merged')
    assert.equal((await swarm(['export', model, '--adapter', output, '--output', merged])).code, 0)
    assert.match((await swarm(['train', merged, train_file, '--preview'])).stdout, /^labels: up, down$/m)
  })

  test('audited, learns the same and says what audits have found', async () => {
    const settings = { max_steps: 2, validation_split: undefined, eval_steps: undefined }
    const plain = await configure('plain', methods[0]!, settings)
    assert.equal((await swarm(['train', '--config', plain.file])).code, 0)
    const { address } = servers[0]!
    const env = { SWARM_HOME: join(home, 'data') }
    await using _other = await startPeer(
      ['serve', model, '--blocks', '0-12', '--host', '127.0.0.1', '--no-identity', '--join', address],
      { env }
    )
    const { file, output } = await configure('audited', methods[0]!, settings)
    const { code, stdout, stderr } = await swarm(['train', '--config', file, '--audit', '1'])
    assert.equal(code, 0, stderr)
    const found = /^audits: (\d+) results computed again \(audited, not verified\): (\d+) agreed, 0 undecided/m.exec(
      stdout
    )
    assert.ok(found !== null && Number(found[1]) > 0 && found[1] === found[2], stdout)
    assert.deepEqual(await adapterOf(output), await adapterOf(plain.output))
  })

  test('a preview needs neither a swarm nor a folder', async () => {
    const { code, stdout, stderr } = await swarm(['train', model, 'data/capitals.jsonl', '--preview'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^⟦The capital of Alabama is⟧ Montgomery\./m)
  })

  const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
  const small = { skip: !isRoot && 'mounting a small disk needs root' }

  /** Runs `swarm` while the folder is on a disk of this size, then `more` on one with room. */
  async function onSmallDisk(folder: string, size: string, args: string[], more: (ended: Ended) => Promise<void>) {
    await mkdir(folder)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
    try {
      const ended = await swarm(args)
      assert.equal(ended.code, 1)
      assert.deepEqual(
        (await readdir(folder)).filter(name => name.endsWith('.tmp')),
        []
      )
      execFileSync('mount', ['-o', 'remount,size=64m', folder])
      await more(ended)
    } finally {
      execFileSync('umount', [folder])
    }
  }

  test('a disk that fills up stops the run; the checkpoint before is whole', small, async () => {
    const { file, output } = await configure('full', methods[0]!, { save_steps: 2 })
    await onSmallDisk(output, '700k', ['train', '--config', file], async ({ stderr }) => {
      const [, last] =
        /no room left for it \(last good checkpoint: .*(checkpoint-\d+)\)/.exec(stderr) ?? assert.fail(stderr)
      const state = JSON.parse(await readFile(join(output, last!, 'trainer_state.json'), 'utf8')) as {
        global_step: number
      }
      assert.equal(`checkpoint-${state.global_step}`, last)
      const resumed = await swarm(['train', '--config', file, '--resume'])
      assert.equal(resumed.code, 0, resumed.stderr)
      assert.deepEqual(await adapterOf(output), await adapterOf(join(home, 'whole-LORA')))
    })
  })

  test('a disk that is full when the run ends loses none of its steps', small, async () => {
    const { file, output } = await configure('full-at-end', methods[0]!, { save_steps: 100 })
    await onSmallDisk(output, '100k', ['train', '--config', file], async ({ stderr }) => {
      const pattern = /none was saved before\); step 20 is kept in (.*checkpoint-20): make room, and resume from there/
      const [, spared] = pattern.exec(stderr) ?? assert.fail(stderr)
      assert.ok(spared!.startsWith(join(home, 'spare')))
      const resumed = await swarm(['train', '--config', file, '--resume', spared!])
      assert.equal(resumed.code, 0, resumed.stderr)
      const done = /resumed from .*checkpoint-20: 20 of 20 steps are done; nothing is left to train/
      assert.match(resumed.stdout, done)
      assert.deepEqual(await adapterOf(output), await adapterOf(join(home, 'whole-LORA')))
    })
  })

  test('a run that is at its end goes on as a longer one', async () => {
    const { file, output } = await configure('longer', methods[0]!, { max_steps: 4 })
    assert.equal((await swarm(['train', '--config', file])).code, 0)
    const preview = await swarm(['train', '--config', file, '--resume', '--max-steps', '6', '--preview'])
    assert.equal(preview.code, 0, preview.stderr)
    assert.match(
      preview.stdout,
      /^resume: from .*checkpoint-4, 4 of 6 steps done, and the learning rate follows the new length$/m
    )
    assert.match(preview.stdout, /^swarm: reached, 2 servers hold all 12 blocks$/m)
    const other = await swarm(['train', '--config', file, '--preview'])
    assert.match(other.stderr, /already contains a run \(checkpoint-4\): resume it \(--resume\)/)
    assert.equal(other.code, 1)
    const { code, stdout, stderr } = await swarm(['train', '--config', file, '--resume', '--max-steps', '6'])
    assert.equal(code, 0, stderr)
    assert.match(
      stdout,
      /checkpoint-4: 4 of 6 steps are done; the checkpoint is of a run of 4, so the learning rate \(cosine\) changes to that of 6/
    )
    const checkpoints = (await readdir(output)).filter(name => name.startsWith('checkpoint'))
    assert.deepEqual(checkpoints.sort(), ['checkpoint-4', 'checkpoint-6'])
  })

  test('AdaLoRA goes on as a longer one with the ranks that it has', async () => {
    const { file } = await configure('longer-adalora', methods[1]!, { max_steps: 8 })
    assert.equal((await swarm(['train', '--config', file])).code, 0)
    const longer = ['train', '--config', file, '--resume', '--max-steps', '10']
    const refused = await swarm(longer)
    assert.equal(refused.code, 1)
    assert.match(
      refused.stderr,
      /peft\.totalStep: the checkpoint has 8, this run 10, and its ranks follow the length: give total_step/
    )
    const { code, stdout, stderr } = await swarm([...longer, '--total-step', '8'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^10\/10 /m)
  })
})
