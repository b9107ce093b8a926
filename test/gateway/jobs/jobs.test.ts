// Files and fine-tuning jobs over a small swarm, as the `openai` package of npm asks for them.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import OpenAI, { type APIError, toFile } from 'openai'
import {
  getPeftModel,
  loadTrainingData,
  type MetricsLine,
  PeftModel,
  parseTrainConfig,
  planTraining,
  readConfigYaml,
  runTraining,
  toPeftConfig,
  toTrainOptions
} from '../../../client/index.ts'
import { createFineTuning } from '../../../gateway/jobs/index.ts'
import { createGateway, type Gateway } from '../../../gateway/server.ts'
import { openStore } from '../../../gateway/storage/store.ts'
import { gatewayOver, served } from '../../../testing/gateway.ts'
import { collectAll, tinyPath } from '../../../testing/references.ts'
import { useSwarm } from '../../../testing/swarm.ts'

const capitals = [
  ['Texas', 'Austin'],
  ['Ohio', 'Columbus'],
  ['Utah', 'Salt Lake City'],
  ['Iowa', 'Des Moines']
]
const jsonl = capitals
  .map(([state, city]) => JSON.stringify({ prompt: `The capital of ${state} is`, completion: ` ${city}.` }))
  .join('\n')

const peft = { peft_type: 'LORA', r: 2, target_modules: ['q_proj', 'v_proj'] }

/** The body of a job with the fields of this gateway's own. */
type Body = OpenAI.FineTuning.JobCreateParams & { swarmtune?: object }

/** Data of server-sent events, until the stream ends. */
async function eventsOf(response: Response): Promise<{ event: string; data: string }[]> {
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const text = await response.text()
  return text.split('\n\n').flatMap(block => {
    const event = /^event: (.*)$/m.exec(block)?.[1] ?? 'message'
    const data = /^data: (.*)$/m.exec(block)?.[1]
    return data === undefined ? [] : [{ event, data }]
  })
}

describe('fine-tuning jobs', () => {
  const used = useSwarm([
    [0, 6],
    [6, 12]
  ])
  let home: string
  let gateway: Gateway
  let client: OpenAI

  /** A gateway over this home folder, as after a restart. */
  async function open(models = [served(used.model)]): Promise<void> {
    const store = await openStore(home)
    gateway = createGateway(gatewayOver(models, store).context, { port: 0 })
    await gateway.start()
    client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
  }
  async function close(): Promise<void> {
    await gateway?.stop()
    gateway?.context.store.close()
  }
  const upload = async (text = jsonl, name = 'capitals.jsonl') =>
    await client.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'fine-tune' })
  const create = async (body: Partial<Body> = {}) => {
    const file = body.training_file ?? (await upload()).id
    return await client.fineTuning.jobs.create({
      model: 'tiny',
      training_file: file,
      swarmtune: { peft },
      ...body
    } as Body)
  }
  const get = (path: string, init?: RequestInit) => fetch(`${gateway.url}${path}`, init)
  const runFolder = (id: string): string => join(home, 'gateway', 'jobs', id)
  const running = async () => (await client.fineTuning.jobs.list()).data.filter(({ status }) => status === 'running')
  /** Resolves at the first change of a job that fits. */
  async function seen(id: string, fits: (step: number, state: string) => boolean): Promise<void> {
    const { jobs } = gateway.context
    for await (const change of jobs.ledger.watch(id, AbortSignal.timeout(20_000))) {
      if (change.type === 'job' && fits(change.job.step, change.job.state)) return
    }
    assert.fail('the job ended before')
  }

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-jobs-'))
    await open()
  })
  after(async () => {
    await close()
    await rm(home, { recursive: true, force: true })
  })

  it('learns the adapter that the SDK learns from the same file and settings, and serves it', async () => {
    const file = await upload(jsonl, 'états.jsonl')
    assert.deepEqual([file.filename, file.bytes, file.purpose], ['états.jsonl', Buffer.byteLength(jsonl), 'fine-tune'])
    const created = await create({
      training_file: file.id,
      suffix: 'capitals',
      seed: 7,
      metadata: { team: 'lab' },
      method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 2, batch_size: 2 } } }
    })
    assert.equal(created.status, 'validating_files')
    assert.equal(created.hyperparameters.learning_rate_multiplier, 'auto')
    await client.files.delete(file.id) // the job has what it needs
    await gateway.context.jobs.idle()
    const job = await client.fineTuning.jobs.retrieve(created.id)
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error))
    assert.equal(job.fine_tuned_model, `ft:tiny:capitals:${job.id.slice(-8)}`)
    assert.deepEqual(job.method?.supervised?.hyperparameters, {
      n_epochs: 2,
      batch_size: 2,
      learning_rate_multiplier: 1
    })
    assert.deepEqual([job.seed, job.metadata, job.error], [7, { team: 'lab' }, null])

    // the same by the SDK
    const folder = join(home, 'expected')
    const path = join(home, 'capitals.jsonl')
    await writeFile(path, jsonl)
    const config = parseTrainConfig({
      ...{ model: tinyPath, train_file: path, output_dir: folder, seed: 7, peft },
      ...{ num_train_epochs: 2, per_device_train_batch_size: 2 }
    })
    const { tokenizer } = used.model
    const data = await loadTrainingData(
      { train: path },
      { tokenizer, maxPositions: used.model.config.maxPositions, eosTokenId: used.model.config.eosTokenIds[0] }
    )
    const plan = planTraining(
      data.train.map(({ ids }) => ids.length),
      toTrainOptions(config)
    )
    const tuned = await getPeftModel(used.model, toPeftConfig(config.peft, plan.total), { seed: 7 })
    const padTokenId = used.model.config.padTokenId ?? used.model.config.eosTokenIds[0]!
    const steps = await collectAll(runTraining(tuned, data, config, { padTokenId }))
    await tuned.unload()
    const expected = await readFile(join(folder, 'adapter_model.safetensors'))
    const answer = await get(`/v1/fine_tuning/jobs/${job.id}/adapter/adapter_model.safetensors`)
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), expected)
    const tokens = data.train.reduce((sum, { ids }) => sum + ids.length, 0)
    assert.equal(job.trained_tokens, 2 * tokens)

    // its metrics: as a file, as lines, as events
    const csv = await (await client.files.content(job.result_files[0]!)).text()
    const rows = csv.trimEnd().split('\n')
    assert.equal(rows[0], 'step,train_loss,valid_loss,learning_rate,grad_norm,tokens_per_second,epoch')
    assert.deepEqual(
      rows.slice(1).map(row => Number(row.split(',')[1])),
      steps.map(({ loss }) => loss)
    )
    const { data: lines } = (await (await get(`/v1/fine_tuning/jobs/${job.id}/metrics`)).json()) as {
      data: MetricsLine[]
    }
    assert.deepEqual(
      lines.map(({ step, loss, grad_norm }) => [step, loss, grad_norm]),
      steps.map(({ step, loss, gradNorm }) => [step, loss, gradNorm])
    )
    const events = await collectAll(client.fineTuning.jobs.listEvents(job.id, { limit: 3 }))
    const metrics = events.filter(({ type }) => type === 'metrics').reverse()
    assert.deepEqual(
      metrics.map(({ data: told }) => (told as { train_loss: number }).train_loss),
      steps.map(({ loss }) => loss)
    )
    assert.equal(events[0]!.message, 'The job has successfully completed')
    assert.equal(events.at(-1)!.message, `Created fine-tuning job: ${job.id}`)

    // the model answers, beside its base
    const ids = (await client.models.list()).data.map(({ id }) => id)
    assert.deepEqual(ids, ['tiny', job.fine_tuned_model])
    const prompt = 'The capital of Ohio is'
    const asked = { prompt, max_tokens: 6, temperature: 0 }
    const completion = await client.completions.create({ model: job.fine_tuned_model!, ...asked })
    const opened = await PeftModel.fromPretrained(used.model, folder)
    const row = (await opened.generate(prompt, { maxNewTokens: 6 }))[0]!
    await opened.unload()
    assert.equal(completion.choices[0]!.text, tokenizer.decode(row.slice(tokenizer.encode(prompt).length)))
    const zip = Buffer.from(await (await get(`/v1/fine_tuning/jobs/${job.id}/adapter`)).arrayBuffer())
    assert.ok(zip.includes(expected)) // stored as they are: weights do not shrink
    assert.ok(zip.includes('adapter_config.json'))

    // its YAML is that of the run, with the owner's names
    const yaml = await (await get(`/v1/fine_tuning/jobs/${job.id}/config.yaml`)).text()
    const again = parseTrainConfig(readConfigYaml(yaml, 'config.yaml').values)
    const { train_file, output_dir, save_steps, save_total_limit, ...same } = again
    assert.equal(train_file, file.id) // it was deleted: nobody knows its name
    assert.deepEqual(
      same,
      (({ train_file: _, output_dir: __, save_steps: ___, save_total_limit: ____, ...rest }) => rest)(config)
    )
  })

  it('serves the model after a restart, and no more once it is deleted', async () => {
    const [job] = (await client.fineTuning.jobs.list({ metadata: { team: 'lab' } })).data
    const name = job!.fine_tuned_model!
    await close()
    await open()
    assert.equal((await client.models.retrieve(name)).id, name)
    // so are its checkpoints, which are not listed: the last is the model itself
    const checkpoints = (await client.fineTuning.jobs.checkpoints.list(job!.id)).data
    const checkpoint = checkpoints[0]!.fine_tuned_model_checkpoint
    const asked = { prompt: 'The capital of Ohio is', max_tokens: 4, temperature: 0 }
    const [one, other] = await Promise.all(
      [name, checkpoint].map(model => client.completions.create({ model, ...asked }))
    )
    assert.equal(one!.choices[0]!.text, other!.choices[0]!.text)
    assert.deepEqual(
      (await client.models.list()).data.map(({ id }) => id),
      ['tiny', name]
    )
    assert.deepEqual(await client.models.delete(name), { id: name, object: 'model', deleted: true })
    await assert.rejects(client.models.retrieve(name), /is not served here/)
    await assert.rejects(client.completions.create({ model: checkpoint, ...asked }), /is not served here/)
    await assert.rejects(client.models.delete('tiny'), /was not made by a fine-tuning job/)
    await close()
    await open()
    await assert.rejects(client.models.retrieve(name), /is not served here/)
    assert.equal((await client.fineTuning.jobs.list({ metadata: { team: 'other' } })).data.length, 0)
  })

  it('pauses after a checkpoint and resumes to the same bytes', async () => {
    const body = { seed: 3, swarmtune: { peft, max_steps: 6, per_device_train_batch_size: 2 } }
    const whole = await create(body)
    await gateway.context.jobs.idle()
    const job = await create(body)
    await seen(job.id, step => step >= 2)
    const paused = await client.fineTuning.jobs.pause(job.id)
    assert.equal(paused.status as string, 'paused')
    const [newest] = (await client.fineTuning.jobs.checkpoints.list(job.id)).data
    assert.ok(newest!.step_number >= 2 && newest!.step_number < 6)
    assert.equal(newest!.metrics.step, newest!.step_number)
    await assert.rejects(client.fineTuning.jobs.pause(job.id), /cannot be paused: it is paused/)
    const resumed = await client.fineTuning.jobs.resume(job.id)
    assert.ok(['queued', 'running'].includes(resumed.status))
    const streamed = await eventsOf(await get(`/v1/fine_tuning/jobs/${job.id}/metrics?stream=true`))
    await gateway.context.jobs.idle()
    const names = ['adapter_config.json', 'adapter_model.safetensors']
    for (const name of names) {
      const [one, other] = await Promise.all([whole, job].map(({ id }) => readFile(join(runFolder(id), name))))
      assert.deepEqual(one, other)
    }
    // the stream had each step once, those before it began too, and ended with the job
    const steps = streamed.flatMap(({ event, data }) => (event === 'metrics' ? [JSON.parse(data).step] : []))
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6])
    assert.equal(JSON.parse(streamed.findLast(({ event }) => event === 'job')!.data).status, 'succeeded')
    // once more from a checkpoint of one's choice is for jobs that have not succeeded
    await assert.rejects(client.fineTuning.jobs.resume(job.id), /cannot be resumed: it is succeeded/)
  })

  it('goes on after the gateway was stopped in the middle, to the same bytes', async () => {
    const { peft_type: _, ...lora } = peft // the same without its type, as in YAML
    const body = { seed: 3, swarmtune: { peft: lora, max_steps: 6, per_device_train_batch_size: 2 } }
    const job = await create(body)
    await seen(job.id, step => step >= 3)
    await close()
    await open()
    await gateway.context.jobs.idle()
    const done = await client.fineTuning.jobs.retrieve(job.id)
    assert.equal(done.status, 'succeeded')
    const messages = (await collectAll(client.fineTuning.jobs.listEvents(job.id))).map(({ message }) => message)
    assert.ok(
      messages.some(message => /^Resumed from the checkpoint of step [3-5] of 6$/.test(message)),
      `${messages}`
    )
    const others = (await client.fineTuning.jobs.list()).data.filter(other => other.seed === 3 && other.id !== job.id)
    const [one, other] = await Promise.all(
      [job.id, others[0]!.id].map(id => readFile(join(runFolder(id), 'adapter_model.safetensors')))
    )
    assert.deepEqual(one, other)
  })

  it('cancels what runs within a step, what waits at once, and resumes either from a checkpoint', async () => {
    const running = await create({ swarmtune: { peft, max_steps: 500, per_device_train_batch_size: 1 } })
    const waiting = await create({ swarmtune: { peft, max_steps: 1 } })
    await seen(running.id, step => step >= 3)
    assert.equal((await client.fineTuning.jobs.retrieve(waiting.id)).status, 'queued')
    assert.equal((await client.fineTuning.jobs.cancel(waiting.id)).status, 'cancelled')
    const at = gateway.context.jobs.ledger.get(running.id).step
    const cancelled = await client.fineTuning.jobs.cancel(running.id)
    assert.equal(cancelled.status, 'cancelled')
    assert.ok(gateway.context.jobs.ledger.get(running.id).step <= at + 1)
    assert.ok(cancelled.finished_at! >= cancelled.created_at)
    await assert.rejects(client.fineTuning.jobs.cancel(running.id), /cannot be cancelled: it is cancelled/)
    await client.fineTuning.jobs.resume(waiting.id)
    await gateway.context.jobs.idle()
    assert.equal((await client.fineTuning.jobs.retrieve(waiting.id)).status, 'succeeded')
    const far = await get(`/v1/fine_tuning/jobs/${running.id}/resume?step=400`, { method: 'POST' })
    assert.match(
      ((await far.json()) as { error: { message: string } }).error.message,
      /no checkpoint of step 400: it has those of the steps \d/
    )
    const gone = await get(`/v1/fine_tuning/jobs/${running.id}`, { method: 'DELETE' })
    assert.equal(gone.status, 200)
    assert.ok(!(await readdir(join(home, 'gateway', 'jobs'))).includes(running.id))
  })

  it('says the line of what is wrong with the data', async () => {
    const broken = await upload(`${jsonl}\n{"prompt": "The capital`, 'broken.jsonl')
    const job = await create({ training_file: broken.id })
    await gateway.context.jobs.idle()
    const { status, error } = await client.fineTuning.jobs.retrieve(job.id)
    assert.equal(status, 'failed')
    assert.equal(error?.code, 'invalid_training_file')
    assert.match(error!.message, /^broken\.jsonl:5: not JSON/)
  })

  it('answers 400 for what is not supported, by name', async () => {
    const file = (await upload()).id
    const faults: [Partial<Body>, RegExp, string][] = [
      [{ method: { type: 'dpo', dpo: {} } }, /'dpo' is not supported/, 'method.type'],
      [{ integrations: [{ type: 'wandb', wandb: { project: 'x' } }] }, /integrations: not supported/, 'integrations'],
      [{ model: 'other' }, /model 'other' is not served here/, 'model'],
      [{ training_file: 'file-none' }, /no file 'file-none' here/, 'training_file'],
      [{ validation_file: 'file-none' }, /no file 'file-none' here/, 'validation_file'],
      [{ suffix: '../..' }, /suffix: expected 1 to 64/, 'suffix'],
      [{ swarmtune: { codec: 'fp16' } }, /unsupported field codec/, 'swarmtune.codec'],
      [{ swarmtune: { output_dir: '/etc' } }, /unsupported field output_dir/, 'swarmtune.output_dir'],
      [{ swarmtune: { peft: { peft_type: 'LORA', r: 0 } } }, /swarmtune.peft.r: /, 'swarmtune.peft.r'],
      [{ swarmtune: { peft: { r: 1_000_000 } } }, /peft.r: expected at most \d+ for this model/, 'swarmtune.peft.r'],
      [
        { swarmtune: { peft: { peft_type: 'LORA', rank_pattern: { q_proj: 1e6 } } } },
        /rank_pattern.q_proj: expected at most/,
        'swarmtune.peft.rank_pattern.q_proj'
      ],
      [{ swarmtune: { peft: { peft_type: 'IA3', r: 2 } } }, /unsupported field r$/, 'swarmtune.peft.r'],
      [{ swarmtune: { peft: { peft_type: 'QLORA' } } }, /Expected .*'IA3'/, 'swarmtune.peft.peft_type'],
      [{ swarmtune: { eval_steps: 2 } }, /eval_steps: needs a validation_file/, 'swarmtune'],
      [
        { hyperparameters: { n_epochs: 1 }, swarmtune: { max_steps: 2 } },
        /swarmtune.max_steps: means the same as the hyperparameter n_epochs/,
        'swarmtune.max_steps'
      ]
    ]
    for (const [body, message, param] of faults) {
      await assert.rejects(create({ training_file: file, ...body }), (error: APIError) => {
        assert.match(error.message, message)
        assert.equal(error.param, param)
        return error.status === 400 || error.status === 404
      })
    }
  })

  it('previews what would be learned, and estimates the time', async () => {
    const chat = {
      messages: [
        { role: 'user', content: 'The capital of Ohio?' },
        { role: 'assistant', content: 'Columbus.' }
      ]
    }
    const rows = [
      chat,
      {
        messages: [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Ho '.repeat(100) }
        ]
      }
    ]
    const file = await upload(rows.map(row => JSON.stringify(row)).join('\n'), 'chat.jsonl')
    const body = JSON.stringify({
      ...{ model: 'tiny', training_file: file.id, suffix: 'chat' },
      swarmtune: { peft, max_seq_length: 64, truncate: true }
    })
    const headers = { 'Content-Type': 'application/json' }
    const answer = await get('/v1/fine_tuning/preview?examples=1', { method: 'POST', headers, body })
    const preview = (await answer.json()) as Record<string, never>
    const { examples, yaml, config, lengths, ...told } = preview as unknown as {
      examples: { text: string; trained: boolean }[][]
      yaml: string
      config: Record<string, unknown>
      lengths: { from: number; to: number; count: number }[]
      max_length: number
      too_long: number
    }
    const textOf = (trained: boolean) =>
      examples[0]!.flatMap(token => (token.trained === trained ? token.text : [])).join('')
    assert.equal(textOf(true), 'Columbus.<|im_end|>\n')
    assert.equal(textOf(false).trimEnd(), '<|im_start|>user\nThe capital of Ohio?<|im_end|>\n<|im_start|>assistant')
    assert.deepEqual([told.max_length, told.too_long], [64, 1])
    assert.equal(
      lengths.reduce((sum, { count }) => sum + count, 0),
      2
    )
    assert.ok(lengths[0]!.count > 0 && lengths.at(-1)!.count > 0)
    assert.equal(config.num_train_epochs, 10)
    assert.equal(parseTrainConfig(readConfigYaml(yaml, 'run.yaml').values).train_file, 'chat.jsonl')

    const estimate = await (await get('/v1/fine_tuning/estimate', { method: 'POST', headers, body })).json()
    const { steps, seconds, tokens, seconds_per_step: each } = estimate as Record<string, number>
    assert.equal(steps, 20)
    assert.ok(seconds! > 0 && Math.abs(seconds! - steps! * each!) < 1e-6 && tokens! > 0)
  })

  it('evaluates by a validation file, and reads tables that are packed', async () => {
    const table = `prompt,completion\n${capitals.map(([state, city]) => `The capital of ${state} is, ${city}.`).join('\n')}\n,\n`
    const packed = await client.files.create({
      file: await toFile(gzipSync(table), 'capitals.csv.gz'),
      purpose: 'fine-tune'
    })
    const swarmtune = { peft, eval_steps: 1, save_steps: 1, max_steps: 3, per_device_train_batch_size: 2 }
    const body = { model: 'tiny', training_file: packed.id, validation_file: (await upload()).id, swarmtune }
    const headers = { 'Content-Type': 'application/json' }
    const preview = await get('/v1/fine_tuning/preview', { method: 'POST', headers, body: JSON.stringify(body) })
    const told = (await preview.json()) as {
      description: string[]
      empty_rows: number
      validation: { examples: number }
      steps: number
    }
    assert.deepEqual(told.description, [
      'capitals.csv.gz: completion (separated by commas, by its fields), 4 examples, 51 tokens, 25 labels',
      '  1 empty row skipped',
      'validation: capitals.jsonl: completion (by its fields), 4 examples, 51 tokens, 25 labels'
    ])
    assert.deepEqual([told.empty_rows, told.validation.examples, told.steps], [1, 4, 3])
    const job = await create(body as Partial<Body>)
    const events = await eventsOf(await get(`/v1/fine_tuning/jobs/${job.id}/events?stream=true`))
    assert.equal(events.at(-1)!.data, '[DONE]')
    const done = await client.fineTuning.jobs.retrieve(job.id)
    assert.equal(done.status, 'succeeded', JSON.stringify(done.error))
    // three steps of two an epoch
    assert.equal(done.hyperparameters.n_epochs, 1.5)
    const csv = await (await client.files.content(done.result_files[0]!)).text()
    const rows = csv.trimEnd().split('\n').slice(1)
    const losses = rows.map(row => row.split(',').slice(1, 3).map(Number))
    assert.ok(
      losses.flat().every(loss => loss > 0),
      csv
    )
    const checkpoints = (await client.fineTuning.jobs.checkpoints.list(job.id)).data
    assert.deepEqual(
      checkpoints.map(({ step_number, metrics }) => [step_number, metrics.train_loss, metrics.full_valid_loss]),
      losses.map(([train, valid], index) => [index + 1, train, valid]).reverse()
    )
  })

  it('does not go on with another codec, nor without its model, and waits for either', async () => {
    const job = await create({ swarmtune: { peft, max_steps: 400, per_device_train_batch_size: 1 } })
    await seen(job.id, step => step >= 1)
    await client.fineTuning.jobs.pause(job.id)
    await close()
    const other = await used.swarm.connect({ codec: 'fp16' })
    try {
      await open([served(other)])
      await client.fineTuning.jobs.resume(job.id)
      await gateway.context.jobs.idle()
      const { status, error } = await client.fineTuning.jobs.retrieve(job.id)
      assert.deepEqual([status, error?.code], ['paused', 'codec_mismatch'])
      assert.match(error!.message, /began with the codec fp32, and this gateway uses fp16/)
      await close()
      await open([served(other, { id: 'another' })])
      await client.fineTuning.jobs.resume(job.id)
      await gateway.context.jobs.idle()
      const alone = await client.fineTuning.jobs.retrieve(job.id)
      assert.deepEqual([alone.status, alone.error?.code], ['paused', 'model_not_found'])
    } finally {
      await close()
      await other.close()
      await open()
    }
    await client.fineTuning.jobs.resume(job.id)
    await seen(job.id, step => step >= 3)
    await client.fineTuning.jobs.cancel(job.id)
  })

  it('trains as many at once as it is told, each to the bytes that it has alone', async () => {
    const body = { seed: 3, swarmtune: { peft, max_steps: 6, per_device_train_batch_size: 2 } }
    const alone = (await client.fineTuning.jobs.list()).data.filter(job => job.seed === 3 && job.status === 'succeeded')
    await close()
    const { context } = gatewayOver([served(used.model)], await openStore(home))
    const parallel = { ...context, ...createFineTuning(context, { concurrency: 2 }) }
    gateway = createGateway(parallel, { port: 0 })
    await gateway.start()
    client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
    const jobs = await Promise.all([create(body), create(body), create(body)])
    let most = 0
    for await (const change of parallel.jobs.ledger.watch(jobs[2]!.id, AbortSignal.timeout(20_000))) {
      assert.ok(change)
      most = Math.max(most, (await running()).length)
    }
    await parallel.jobs.idle()
    assert.equal(most, 2)
    const expected = await readFile(join(runFolder(alone[0]!.id), 'adapter_model.safetensors'))
    for (const { id } of jobs) {
      assert.deepEqual(await readFile(join(runFolder(id), 'adapter_model.safetensors')), expected)
    }
  })

  it('trains and answers at the same time', async () => {
    const job = await create({ swarmtune: { peft, max_steps: 400, per_device_train_batch_size: 1 } })
    await seen(job.id, step => step >= 1)
    const step = gateway.context.jobs.ledger.get(job.id).step
    const answer = await client.completions.create({ model: 'tiny', prompt: 'It was', max_tokens: 8, temperature: 0 })
    assert.equal(answer.usage?.completion_tokens, 8)
    await seen(job.id, now => now > step + 1)
    await client.fineTuning.jobs.cancel(job.id)
  })
})
