// swarm chat: what is typed becomes a conversation, answered by servers in this process.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, before, type TestContext, test } from 'node:test'
import { Chat } from '../../cli/chat/chat.ts'
import { ChatHistory } from '../../cli/chat/conversation.ts'
import { ChatInput } from '../../cli/chat/input.ts'
import { MessageReader } from '../../cli/chat/message-reader.ts'
import { PipedLines } from '../../cli/chat/piped-lines.ts'
import { Screen } from '../../cli/terminal/screen.ts'
import type { DistributedModelForCausalLM } from '../../client/index.ts'
import { renderChat } from '../../client/index.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { MiB } from '../../common/units.ts'
import { startSwarm, type TestSwarm } from '../../testing/swarm.ts'
import { temporaryFolder } from '../model/support.ts'
import { templateReference } from '../model/text/template-reference.ts'

const source = `{% for message in messages %}<{{ message.role }}>
{{ message.content }}
{% endfor %}{% if add_generation_prompt %}<assistant>
{% endif %}`
const template = { source, specialTokens: {}, file: 'test.jinja' }

let swarm: TestSwarm
let model: DistributedModelForCausalLM

before(async () => {
  swarm = await startSwarm([[0, 12]], { server: { metricsPort: 0 } })
  model = await swarm.connect()
})

after(async () => {
  await model.close()
  await swarm[Symbol.asyncDispose]()
})

/** A chat whose other end is the test. */
function open(context: TestContext, { isInteractive = false, maxNewTokens = 6, history = [] as string[] } = {}) {
  const [keyboard, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const shown = { out: '', err: '' }
  stdout.on('data', text => (shown.out += text))
  stderr.on('data', text => (shown.err += text))
  const screen = new Screen({ stdout, stderr, env: {} })
  const typed = isInteractive ? new ChatInput({ input: keyboard, terminal: stdout, screen, history }) : undefined
  const input = typed ?? new PipedLines(keyboard)
  const conversation = new ChatHistory({ tokenizer: model.tokenizer, template })
  const ending = new AbortController()
  const options = { maxNewTokens, doSample: false }
  const describe = messageOf
  const chat = new Chat({ model, conversation, input, screen, isInteractive, options, describe, signal: ending.signal })
  typed?.onInterrupt(() => {
    if (!chat.interrupt()) ending.abort()
  })
  context.after(() => {
    ending.abort()
  })
  const until = async (stream: PassThrough, text: () => boolean): Promise<void> => {
    while (!text()) await once(stream, 'data')
  }
  return {
    chat,
    conversation,
    typed,
    keyboard,
    shown,
    ending,
    saw: (text: string) => until(stdout, () => shown.out.includes(text)),
    said: (text: string) => until(stderr, () => shown.err.includes(text)),
    type: (...lines: string[]) => void keyboard.write(lines.map(line => `${line}\n`).join(''))
  }
}

async function answerTo(messages: { role: string; content: string }[], maxNewTokens = 6): Promise<string> {
  const written = renderChat(template, messages, { addGenerationPrompt: true })
  const ids = model.tokenizer.encode(written, { addSpecialTokens: false })
  const [row] = await model.generate([ids], { maxNewTokens, doSample: false })
  return model.tokenizer.decode(row!.slice(ids.length))
}

test('a pipe: every message is answered with what was said before it, and saved as a row of training data', async context => {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'chat.jsonl')
  const { chat, conversation, keyboard, shown, type } = open(context)
  type('/system Be brief.', 'Call me', '', '"""And', 'now?"""', `/save ${file}`, '//x \\')
  keyboard.end('y')
  await chat.run()
  const system = { role: 'system', content: 'Be brief.' }
  const [first, second] = [
    { role: 'user', content: 'Call me' },
    { role: 'user', content: 'And\nnow?' }
  ]
  const one = { role: 'assistant', content: await answerTo([system, first]) }
  const two = { role: 'assistant', content: await answerTo([system, first, one, second]) }
  const last = { role: 'user', content: '/x \ny' }
  const three = { role: 'assistant', content: await answerTo([system, first, one, second, two, last]) }
  assert.deepEqual(conversation.messages, [system, first, one, second, two, last, three])
  assert.equal(shown.out, [one, two, three].map(({ content }) => `${content}\n`).join(''))
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), { messages: [system, first, one, second, two] })
  assert.match(shown.err, /saved 4 messages in .*chat\.jsonl, a row for swarm train/)
})

test('the first fault ends a chat that nobody types, and names what was meant', async context => {
  const { chat, conversation, type } = open(context)
  type('Call me', '/rest')
  await assert.rejects(chat.run(), /^UsageError: \/rest: unknown command \(did you mean \/reset\?\)/)
  assert.equal(conversation.turns, 2)
})

test('lines of a pipe are read as they are asked for, strictly as UTF-8', async () => {
  let read = 0
  async function* endless() {
    for (;;) yield Buffer.from(`${read++} \u2028 é\r\n`)
  }
  const lines = new PipedLines(endless())
  for (const number of [0, 1, 2]) assert.equal(await lines.next(), `${number} \u2028 é`)
  assert.ok(read <= 4, `${read} lines were read for 3`)
  await lines.close()
  assert.equal(await lines.next(), null)
  const [start, end] = [Buffer.from('é\n\nb').subarray(0, 1), Buffer.from('é\n\nb').subarray(1)]
  const last = new PipedLines(Readable.from([start, end]))
  assert.deepEqual([await last.next(), await last.next(), await last.next(), await last.next()], ['é', '', 'b', null])
  const broken = new PipedLines(Readable.from([Buffer.from('a\nb\xff\n', 'latin1')]))
  await assert.rejects(async () => [await broken.next(), await broken.next()], /^UsageError: .* is not UTF-8 text/)
  const long = new PipedLines(Readable.from(Array.from({ length: 9 }, () => Buffer.alloc(8 * MiB, 'a'))))
  await assert.rejects(long.next(), /^UsageError: a line on standard input is longer than 64\.0 MiB/)
})

test('Ctrl-C ends a chat that nobody types, also in the middle of an answer', async context => {
  const { chat, saw, type, ending } = open(context, { maxNewTokens: 500 })
  type('Call me', 'Call me')
  const run = chat.run()
  await saw(',')
  assert.equal(chat.interrupt(), false)
  ending.abort(new SwarmError('ABORTED', 'stopped by SIGINT'))
  await assert.rejects(run, { code: 'ABORTED' })
})

test('Ctrl-C stops the answer and not the chat; the answer counts as it stands', async context => {
  const { chat, conversation, keyboard, saw, said, type, shown } = open(context, {
    isInteractive: true,
    maxNewTokens: 500
  })
  const run = chat.run()
  type('Call me')
  await saw(',') // of the answer
  keyboard.write('\x03')
  await said('stopped; the answer counts as it stands')
  const stopped = conversation.messages.at(-1)!
  assert.equal(stopped.role, 'assistant')
  assert.ok(
    (await answerTo([conversation.messages[0] as { role: string; content: string }], 200)).startsWith(
      `${stopped.content}`
    )
  )
  type('/reset')
  await said('the conversation is forgotten')
  assert.equal(conversation.turns, 0)
  keyboard.write('typed')
  keyboard.write('\x03') // drops the line
  keyboard.write('\x03') // warns
  await said('Ctrl-C again')
  keyboard.write('\x03')
  await run
  assert.equal(conversation.turns, 0)
  assert.doesNotMatch(shown.err, /swarm: /)
})

test('a person is told of a fault and goes on; lines are remembered; Ctrl-D leaves', async context => {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'taken.jsonl')
  await writeFile(file, 'kept')
  const { chat, conversation, keyboard, said, type, typed } = open(context, { isInteractive: true, history: ['/help'] })
  const run = chat.run()
  type('/save')
  await said('/save: nothing has been said yet')
  keyboard.write('\x1b[A\x1b[A\n') // the line before the last one
  await said('show this list')
  type('Call me', `/save ${file}`)
  await said('is there already: give another name')
  type('/system -')
  await said('removed')
  keyboard.write('\x04')
  await run
  assert.equal(await readFile(file, 'utf8'), 'kept')
  assert.equal(conversation.turns, 2)
  assert.deepEqual(typed!.history.slice(0, 3), ['/system -', `/save ${file}`, 'Call me'])
})

test('what is pasted is one message', async context => {
  const { chat, conversation, keyboard, type } = open(context, { isInteractive: true })
  const run = chat.run()
  keyboard.write('\x1b[200~one\ntwo\x1b[201~')
  type(' three')
  keyboard.write('\x04')
  await run
  assert.equal(conversation.messages[0]!.content, 'one\ntwo three')
  assert.equal(conversation.turns, 2)
})

test('a message whose conversation no longer fits is taken back', async context => {
  const { chat, conversation, type } = open(context)
  type('Call me', 'word '.repeat(1200))
  await assert.rejects(chat.run(), /the conversation takes \d+ positions, the model has 1024: \/reset starts a new one/)
  assert.equal(conversation.turns, 2)
})

test('a server copies the beginning of the conversation from turn to turn', async context => {
  const reused = async (): Promise<number> => {
    const { metricsPort } = swarm.servers[0]!
    const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    return Number(/^swarm_prefix_positions_total\{result="reused"\} (.+)$/m.exec(page)?.[1] ?? 0)
  }
  const { chat, keyboard, type } = open(context)
  const start = await reused()
  type(`${'Call me Ishmael. '.repeat(20)}`, 'Some years ago')
  keyboard.end()
  await chat.run()
  assert.ok((await reused()) - start >= 64, `${(await reused()) - start} positions`)
})

test('earlier thoughts are written as the template wants, and begun thoughts belong to the answer', async () => {
  const reference = await templateReference()
  const { specialTokens } = reference
  const open = (name: string) => {
    const template = { source: reference.templates[name]!, specialTokens, file: name }
    return new ChatHistory({ tokenizer: model.tokenizer, template })
  }
  const { messages } = JSON.parse(reference.conversations.thoughts!) as { messages: { content: string }[] }
  for (const [name, begun] of [
    ['Qwen-Qwen3-0.6B', ''],
    ['Qwen3.5-4B', '<think>\n'],
    ['deepseek-ai-DeepSeek-R1-Distill-Qwen-32B', '']
  ] as const) {
    const conversation = open(name)
    assert.equal(conversation.ask(messages[0]!.content).begun, begun)
    conversation.answer(messages[1]!.content)
    conversation.ask(messages[2]!.content)
    conversation.answer(messages[3]!.content)
    // what the reference's template was given
    assert.deepEqual(conversation.messages, messages)
    const { text: written } = conversation.ask('More')
    assert.doesNotMatch(written, /hm|ok</)
    assert.match(written, /Hello[\s\S]*Bye[\s\S]*More/)
  }
})

test('several lines make one message', () => {
  const read = (...lines: string[]) => {
    const reader = new MessageReader()
    return [...lines.flatMap(line => reader.push(line) ?? []), reader.end()].filter(text => text !== undefined)
  }
  assert.deepEqual(read('a', 'b'), ['a', 'b'])
  assert.deepEqual(read('a\\', 'b\\', 'c', 'd'), ['a\nb\nc', 'd'])
  assert.deepEqual(read('ends in two \\\\'), ['ends in two \\\\'])
  assert.deepEqual(read('"""', '/save x', '', 'end"""', 'next'), ['/save x\n\nend', 'next'])
  assert.deepEqual(read('"""one"""', '"""open'), ['one', 'open'])
})
