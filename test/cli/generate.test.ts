// swarm generate over servers in this process.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { inWordsOfFlags } from '../../cli/errors/wording.ts'
import { createProgram } from '../../cli/program.ts'
import { readPrompt } from '../../cli/terminal/prompt.ts'
import { readReference, tinyPath } from '../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../testing/swarm.ts'
import { runHere } from './run.ts'

const { alone } = readReference<{ alone: { prompt: string; text: string }[] }>('tiny-greedy.json')
const { prompt, text } = alone[0]!
/** nothing listens there */
const nowhere = ['--join', '/ip4/127.0.0.1/tcp/1']

let swarm: TestSwarm

before(async () => {
  swarm = await startSwarm([[0, 12]])
})

after(() => swarm[Symbol.asyncDispose]())

const generate = (...argv: string[]) => runHere('generate', '--join', swarm.join[0]!, ...argv)

test('options stand before the arguments, and temperature 0 is greedy', async () => {
  const greedy = await generate('--temperature', '0', '--top-k', '3', tinyPath, prompt, '--max-new-tokens', '64')
  assert.deepEqual(greedy, { status: undefined, stdout: `${text}\n`, stderr: '' })
})

test('--json is one object with the text, its length and why it ended', async () => {
  const { status, stdout } = await generate(tinyPath, prompt, '--max-new-tokens', '64', '--json')
  const { seconds, ...rest } = JSON.parse(stdout) as Record<string, unknown>
  assert.equal(status, undefined)
  assert.deepEqual(rest, { text, finishReason: 'length', promptTokens: 2, newTokens: 64 })
  assert.ok(Number(seconds) > 0)
  const stopped = await generate(tinyPath, '--json', '--stop', text.slice(8, 12), '--', prompt)
  const { text: before, finishReason } = JSON.parse(stopped.stdout) as Record<string, unknown>
  assert.deepEqual([before, finishReason], [text.slice(0, text.indexOf(text.slice(8, 12))), 'stop'])
})

test('a control token in the prompt is text, unless --special-tokens says otherwise', async () => {
  const tokens = async (...argv: string[]): Promise<unknown> => {
    const { stdout } = await generate(tinyPath, `${prompt}<|endoftext|>`, '--max-new-tokens', '1', '--json', ...argv)
    return (JSON.parse(stdout) as { promptTokens: number }).promptTokens
  }
  assert.equal(await tokens('--special-tokens'), 3)
  assert.equal(await tokens(), 2 + 9)
  const chat = ['--chat-template', join(import.meta.dirname, 'one-message.jinja')]
  assert.equal(await tokens(...chat, '--special-tokens'), 4)
  assert.equal(await tokens(...chat), 2 + 9 + 1)
})

test('a value out of its range is named by its flag, before anything is opened', async () => {
  const cases: readonly [argv: string[], said: RegExp][] = [
    [['--temperature', '-1'], /'--temperature <t>' argument '-1' is invalid\. expected a number of at least 0/],
    [['--top-p', '2'], /--top-p.*'2' is invalid\. expected 0 to 1/],
    [['--repetition-penalty', '0'], /--repetition-penalty.*expected a number above 0/],
    [['--speculate', '65'], /--speculate.*expected 1 to 64/],
    [['--stop', ''], /--stop.*it would stop at once/],
    [['--num-beams', '2', '--top-p', '0.9'], /^swarm: --num-beams and --top-p: /],
    [['--num-beams', '2', '--draft', 'x'], /^swarm: --num-beams and --draft: /]
  ]
  for (const [argv, said] of cases) {
    const { status, stderr } = await runHere('generate', 'no-such-model', 'a', ...argv, ...nowhere)
    assert.equal(status, 2)
    assert.match(stderr, said)
    assert.doesNotMatch(stderr, /topP|numBeams|doSample|\.ts:/)
  }
})

test('messages of the SDK name flags; paths and words stay', () => {
  const inWords = (message: string) => inWordsOfFlags(message, createProgram())
  assert.equal(
    inWords('temperature: expected a number above 0 (greedy is doSample: false), found 0'),
    '--temperature: expected a number above 0 (greedy is --temperature 0), found 0'
  )
  assert.equal(
    inWords('numBeams and promptLookupNumTokens: give maxNewTokens (or useGenerationConfig: false).'),
    '--num-beams and --speculate: give --max-new-tokens (or --no-generation-config).'
  )
  const resume =
    "out: already contains a run (checkpoint-4): resume it (the option 'resume'), or set overwrite_output_dir"
  assert.equal(
    inWords(resume),
    'out: already contains a run (checkpoint-4): resume it (--resume), or set overwrite_output_dir'
  )
  const kept = "/data/topK/x: no such file; 'maxNewTokens' of a text; generation_config.json: temperature"
  assert.equal(inWords(kept), kept)
})

test('a prompt comes from standard input where none is given, and for -', async () => {
  const from = (...parts: (string | Uint8Array)[]) => ({ input: Readable.from(parts) })
  assert.equal(await readPrompt('Call me', from('other')), 'Call me')
  assert.equal(await readPrompt('-', from('Call', ' me\n')), 'Call me')
  assert.equal(await readPrompt(undefined, from('one\n\ntwo\r\n')), 'one\n\ntwo')
  // a character may be cut between two pieces
  const bytes = Buffer.from('Größe')
  assert.equal(await readPrompt('-', from(bytes.subarray(0, 3), bytes.subarray(3))), 'Größe')
  await assert.rejects(readPrompt('-', from('\n')), /prompt on standard input is empty/)
  await assert.rejects(readPrompt('-', from(Buffer.from([0xff, 0xfe, 0x41]))), /not UTF-8/)
  const terminal = Object.assign(Readable.from([]), { isTTY: true })
  await assert.rejects(readPrompt(undefined, { input: terminal }), /no prompt: give it after the model, or pipe it/)
})
