// Files of every format to examples: which tokens are learned, what is said about it, what is refused and where.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type DataContext, type Example, loadTrainingData } from '../../../../client/train/index.ts'
import type { Progress } from '../../../../common/progress.ts'
import { MiB } from '../../../../common/units.ts'
import { readReference, temporaryFolder } from '../../../../testing/references.ts'

/** One token per letter; a special token 1 in front. */
const tokenizer: DataContext['tokenizer'] = {
  encode: (text, { addSpecialTokens = true } = {}) => [
    ...(addSpecialTokens ? [1] : []),
    ...[...text].map(letter => letter.codePointAt(0)!)
  ],
  chatTemplate: null
}
const context: DataContext = { tokenizer, maxPositions: 400, eosTokenId: 2 }

const { templates } = readReference<{ templates: Record<string, string> }>('chat.json')
const chatting = (name: string): DataContext => {
  const chatTemplate = { source: templates[name]!, specialTokens: {}, file: `${name}.jinja` }
  return { ...context, tokenizer: { ...tokenizer, chatTemplate } }
}

/** Writes files, an object for each line or the bytes as they are; gives the path of the folder. */
async function write(t: TestContext, contents: Record<string, unknown[] | string | Uint8Array>): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const [name, content] of Object.entries(contents)) {
    const bytes = Array.isArray(content) ? content.map(row => `${JSON.stringify(row)}\n`).join('') : content
    await writeFile(join(folder, name), bytes)
  }
  return folder
}

/** The learned and the masked text of an example. */
function read({ ids, labels }: Example): { learned: string; masked: string } {
  const text = (learned: boolean): string =>
    String.fromCodePoint(...ids.filter((id, place) => id > 2 && (labels[place] !== -100) === learned))
  return { learned: text(true), masked: text(false) }
}

const load = (path: string, more: Partial<DataContext> = {}) =>
  loadTrainingData({ train: path }, { ...context, ...more })

suite('formats, told by the fields of the first row', () => {
  test('prompt and completion', async t => {
    const folder = await write(t, { 'a.jsonl': [{ prompt: 'AB', completion: 'C' }] })
    const { task, train, validation, description } = await load(folder)
    assert.equal(task, 'CAUSAL_LM')
    assert.deepEqual(train, [{ ids: [1, 65, 66, 67, 2], labels: [-100, -100, -100, 67, 2] }])
    assert.deepEqual(validation, [])
    assert.deepEqual(description, [
      `${join(folder, 'a.jsonl')}: completion (by its fields), 1 example, 5 tokens, 2 labels`
    ])
    const stages: Progress[] = []
    const { train: all } = await load(folder, { trainOnInputs: true, onProgress: progress => stages.push(progress) })
    const about = { stage: 'tokenize', name: join(folder, 'a.jsonl'), unit: 'examples', total: 1 }
    assert.deepEqual(stages[0], { ...about, done: 0, ended: false })
    assert.deepEqual(stages.at(-1), { ...about, done: 1, ended: true })
    assert.deepEqual(all[0]!.labels, [-100, 65, 66, 67, 2])
  })

  test('Alpaca, with and without an input, as a list in one .json file', async t => {
    const rows = [
      { instruction: 'Name it.', input: 'Texas', output: 'Austin' },
      { instruction: 'Say hello.', input: '', output: 'Hello' }
    ]
    const { train } = await load(join(await write(t, { 'a.json': JSON.stringify(rows, null, 2) }), 'a.json'))
    assert.deepEqual(train.map(read), [
      {
        masked:
          'Below is an instruction that describes a task, paired with an input that provides further context. ' +
          'Write a response that appropriately completes the request.\n\n' +
          '### Instruction:\nName it.\n\n### Input:\nTexas\n\n### Response:',
        learned: 'Austin'
      },
      {
        masked:
          'Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n' +
          '### Instruction:\nSay hello.\n\n### Response:',
        learned: 'Hello'
      }
    ])
  })

  test("a chat by the model's template: every turn of the assistant is learned, with its end, and no end token is added", async t => {
    const messages = [
      { role: 'user', content: 'A?' },
      { role: 'assistant', content: 'B.' },
      { role: 'user', content: 'C?' },
      { role: 'assistant', content: 'D.' }
    ]
    const { train } = await loadTrainingData(
      { train: await write(t, { 'a.jsonl': [{ messages }] }) },
      chatting('chatml')
    )
    assert.deepEqual(train.map(read), [
      {
        masked:
          '<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\n' +
          '<|im_start|>user\nC?<|im_end|>\n<|im_start|>assistant\n',
        learned: 'B.<|im_end|>\nD.<|im_end|>\n'
      }
    ])
    assert.ok(!train[0]!.ids.includes(1) && !train[0]!.ids.includes(2))
  })

  test('tools of a chat, a list or its JSON as a text, with the numbers and nulls that were written', async t => {
    const chatTemplate = {
      source:
        '{{ tools|tojson }}{{ seed|default("") }}{% for m in messages %}<{{ m.role }}>{% generation %}{{ (m.args if m.args else m.content)|tojson }}{% endgeneration %}{% endfor %}',
      specialTokens: {},
      file: 'x.jinja'
    }
    const tools = '[{"name": "w", "minimum": -90.0, "default": null}]'
    const messages =
      '[{"role": "assistant", "args": {"unit": null, "lat": 41.0, "10": 1, "big": 12345678901234567890}}]'
    const content = [
      `{"tools": ${tools}, "messages": ${messages}, "chat_template_kwargs": {"seed": 1.0}}`,
      `{"tools": ${JSON.stringify(tools)}, "messages": ${messages}}`,
      `{"tools": null, "messages": ${messages}}`
    ].join('\n')
    const learned = '{"unit": null, "lat": 41.0, "10": 1, "big": 12345678901234567890}'
    const { train } = await loadTrainingData(
      { train: await write(t, { 'a.jsonl': content }) },
      { ...context, tokenizer: { ...tokenizer, chatTemplate } }
    )
    assert.deepEqual(train.map(read), [
      { masked: `${tools}1.0<assistant>`, learned },
      { masked: `${tools}<assistant>`, learned },
      { masked: 'null<assistant>', learned }
    ])
  })

  test('texts are learned whole; a .txt file is cut into pieces', async t => {
    const folder = await write(t, { 'a.jsonl': [{ text: 'ABC' }], 'b.txt': 'DEFGH' })
    const { train, description } = await load(folder, { maxSeqLength: 5 })
    assert.deepEqual(train, [
      { ids: [1, 65, 66, 67, 2], labels: [-100, 65, 66, 67, 2] },
      { ids: [1, 68, 69, 70, 71], labels: [-100, 68, 69, 70, 71] },
      { ids: [72, 2], labels: [-100, 2] }
    ])
    assert.match(description[1]!, /b\.txt: plain text, 7 tokens in 2 pieces of up to 5$/)
  })

  test('windows of a .txt file that overlap: every token after the first is a label once', async t => {
    const folder = await write(t, { 'b.txt': 'ABCDEFGHIJ' })
    const { train } = await load(folder, { maxSeqLength: 5, stride: 2, eosTokenId: undefined })
    assert.deepEqual(
      train.map(({ ids, labels }) => [ids.length, ids[0], labels.filter(label => label !== -100)]),
      [
        [5, 1, [65, 66, 67, 68]],
        [5, 66, [69, 70]],
        [5, 68, [71, 72]],
        [5, 70, [73, 74]]
      ]
    )
  })

  test('a text with a label: one label, classes sorted, numbers by their size', async t => {
    const named = await load(
      await write(t, {
        'a.jsonl': [
          { text: 'A', label: 'z' },
          { text: 'B', label: 'b' }
        ]
      })
    )
    assert.equal(named.task, 'SEQ_CLS')
    assert.deepEqual(named.labels, ['b', 'z'])
    assert.deepEqual(named.train, [
      { ids: [1, 65], labels: [1] },
      { ids: [1, 66], labels: [0] }
    ])
    const rows = [10, 9, 10].map(label => ({ text: 'A', label }))
    const numbered = await load(await write(t, { 'a.jsonl': rows }))
    assert.deepEqual(numbered.labels, ['9', '10'])
    assert.deepEqual(
      numbered.train.map(({ labels }) => labels),
      [[1], [0], [1]]
    )
    const known = await load(await write(t, { 'a.jsonl': [{ text: 'A', label: 1 }] }), { labels: ['no', 'yes'] })
    assert.deepEqual(known.train, [{ ids: [1, 65], labels: [1] }])
  })

  test('words with tags: the first token of each carries its class', async t => {
    const rows = [{ tokens: ['Mr', 'X', ''], tags: ['O', 'PERSON', 'O'] }]
    const { task, train, labels } = await load(await write(t, { 'a.jsonl': rows }))
    assert.equal(task, 'TOKEN_CLS')
    assert.deepEqual(labels, ['O', 'PERSON'])
    // a space of its own before every word after the first, which is then the word's first token
    assert.deepEqual(train, [{ ids: [1, 77, 114, 32, 88, 32], labels: [-100, 0, -100, 1, -100, 0] }])
  })

  test('a format that is given goes before what the fields say', async t => {
    const path = await write(t, { 'a.jsonl': [{ text: 'A', label: 'b' }] })
    const { task, description } = await loadTrainingData({ train: path, format: 'text' }, context)
    assert.equal(task, 'CAUSAL_LM')
    assert.match(description[0]!, /text \(as told\)/)
  })
})

suite('data for which there is no memory', () => {
  const row = JSON.stringify({ text: 'A' })
  /** rows of 13 bytes take 1052 */
  const maxMemory = 100 * 1052 + 999
  const load = async (t: TestContext, name: string, bytes: Uint8Array, of = maxMemory) =>
    await loadTrainingData({ train: await write(t, { [name]: bytes }) }, { ...context, maxMemory: of })
  const tooMuch = { code: 'INVALID_ARGUMENT', message: /would take more than the .* of memory that it may/ }
  const lines = (count: number) => Buffer.from(Array.from({ length: count }, () => row).join('\n'))

  test('is refused while it is unpacked: gzip of a thousandth of its size', async t => {
    const bomb = gzipSync(lines(200_000))
    assert.ok(bomb.length < 20_000)
    await assert.rejects(load(t, 'a.jsonl.gz', bomb), tooMuch)
    await assert.rejects(load(t, 'a.txt.gz', gzipSync(Buffer.alloc(MiB, 'a')), MiB), tooMuch)
    await assert.rejects(load(t, 'a.csv', Buffer.from('text\n'.repeat(1000))), tooMuch)
    const list = Buffer.from(`[${Array.from({ length: 1000 }, () => row).join(',')}]`)
    await assert.rejects(load(t, 'a.json', list), /at most \d+ arrays and objects, found 1001/)
  })

  test('is counted over training and validation, and read where there is room', async t => {
    assert.equal((await load(t, 'a.jsonl', lines(100))).train.length, 100)
    const folder = await write(t, { 'a.jsonl': lines(60) })
    const both = { train: folder, validation: folder }
    await assert.rejects(loadTrainingData(both, { ...context, maxMemory }), tooMuch)
    assert.equal((await loadTrainingData(both, { ...context, maxMemory: 2 * maxMemory })).validation.length, 60)
  })
})

suite('train and validation', () => {
  const rows = Array.from({ length: 20 }, (_, index) => ({ text: String.fromCodePoint(65 + index) }))

  test('a share of the examples, the same for the same seed, another for another', async t => {
    const train = await write(t, { 'a.jsonl': rows })
    const split = (seed: number) => loadTrainingData({ train, validationSplit: 0.25, seed }, context)
    const [first, again, other] = [await split(3), await split(3), await split(4)]
    assert.equal(first.validation.length, 5)
    assert.deepEqual(first, again)
    assert.notDeepEqual(first.validation, other.validation)
    const all = [...first.train, ...first.validation].map(example => read(example).learned).sort()
    assert.deepEqual(
      all,
      rows.map(({ text }) => text)
    )
    assert.match(first.description.at(-1)!, /split \(seed 3\): 15 to train, 5 for validation/)
  })

  test('a file of its own, whose classes count too; not both', async t => {
    const folder = await write(t, {
      'a.jsonl': ['x', 'y'].map(label => ({ text: 'A', label })),
      'b.jsonl': [{ text: 'B', label: 'w' }]
    })
    const sources = { train: join(folder, 'a.jsonl'), validation: join(folder, 'b.jsonl') }
    const { labels, validation } = await loadTrainingData(sources, context)
    assert.deepEqual(labels, ['w', 'x', 'y'])
    assert.deepEqual(validation, [{ ids: [1, 66], labels: [0] }])
    await assert.rejects(loadTrainingData({ ...sources, validationSplit: 0.5 }, context), { code: 'INVALID_ARGUMENT' })
  })

  test('packing joins training examples by best fit, and says that neighbours see each other', async t => {
    const texts = ['AAAA', 'BB', 'CCC', 'D']
    const path = await write(t, { 'a.jsonl': texts.map(text => ({ text })) })
    // lengths with start and end token: 6, 4, 5, 3
    const { train, description } = await load(path, { packing: true, maxSeqLength: 9 })
    assert.deepEqual(
      train.map(({ ids }) => ids),
      [
        [1, 65, 65, 65, 65, 2, 1, 68, 2],
        [1, 67, 67, 67, 2, 1, 66, 66, 2]
      ]
    )
    assert.deepEqual(train[0]!.labels, [-100, 65, 65, 65, 65, 2, -100, 68, 2])
    assert.match(description.at(-1)!, /4 examples in 2 sequences of up to 9 tokens; neighbours .* see each other/)
  })
})

suite('what is too long', () => {
  const rows = [
    { prompt: 'A', completion: 'BCDEF' },
    { prompt: 'ABCDEF', completion: 'G' },
    { prompt: 'A', completion: 'B' }
  ]

  test('is refused with its line, and with what sets the limit', async t => {
    const path = join(await write(t, { 'a.jsonl': rows }), 'a.jsonl')
    await assert.rejects(load(path, { maxSeqLength: 5 }), {
      code: 'INVALID_ARGUMENT',
      message: `${path}:1: expected at most 5 tokens (max_seq_length), found 8 (set truncate to cut the end)`
    })
    await assert.rejects(load(path, { maxPositions: 6 }), /:1: expected at most 6 tokens \(the model's positions\)/)
    await assert.rejects(load(path, { maxSeqLength: 401 }), /maxSeqLength: expected at most 400/)
  })

  test('is cut by request; what then has nothing to learn is left out, and both are said', async t => {
    const { train, description } = await load(await write(t, { 'a.jsonl': rows }), { maxSeqLength: 5, truncate: true })
    assert.deepEqual(train, [
      { ids: [1, 65, 66, 67, 68], labels: [-100, -100, 66, 67, 68] },
      { ids: [1, 65, 66, 2], labels: [-100, -100, 66, 2] }
    ])
    assert.match(description[1]!, /1 example cut to 5 tokens/)
    assert.match(description[2]!, /1 example left out/)
  })
})

suite('bad input', () => {
  const cases: [name: string, rows: unknown[] | string | Uint8Array, message: RegExp, more?: Partial<DataContext>][] = [
    ['no example', '\n', /a\.jsonl: expected at least one example/],
    ['broken JSON', '{"text": "A"}\n{"text": \n', /a\.jsonl:2: not JSON/],
    ['no UTF-8', Uint8Array.of(...Buffer.from('{"text": "A"}\n{"text": "'), 0xff, 0x22, 0x7d), /a\.jsonl:2: not UTF-8/],
    [
      'fields of no format',
      [{ question: 'A' }],
      /a\.jsonl:1: expected the fields messages \(chat\), .*; found question/
    ],
    [
      'a row unlike the first',
      [{ text: 'A' }, { prompt: 'B' }],
      /a\.jsonl:2: expected "text" to be a text, found nothing/
    ],
    ['labels of mixed types', ['b', 1].map(label => ({ text: 'A', label })), /found "b" \(.*:1\) and 1 \(.*:2\)/],
    ['labels that are neither', [{ text: 'A', label: true }], /a\.jsonl:1: expected "label" to be .*, found true/],
    ['a single class', [{ text: 'A', label: 'b' }], /at least two classes, found only "b"/],
    [
      'a label that the head does not have',
      [{ text: 'A', label: 'c' }],
      /:1: expected a label among 2 \(a, b\), found "c"/,
      { labels: ['a', 'b'] }
    ],
    [
      'a number out of range',
      [{ text: 'A', label: 2 }],
      /:1: expected a label among 2 \(a, b\), found 2/,
      { labels: ['a', 'b'] }
    ],
    [
      'a number that is the name of no class',
      [{ text: 'A', label: 0 }],
      /expected a label among 2 \(1, 2\), found 0/,
      { labels: ['1', '2'] }
    ],
    [
      'fewer tags than tokens',
      [{ tokens: ['a', 'b'], tags: ['O'] }],
      /:1: expected one tag for each of 2 tokens, found 1/
    ],
    [
      'data for another task',
      [{ text: 'A', label: 'b' }],
      /expected data for CAUSAL_LM \(chat, .*\), found text-label/,
      { task: 'CAUSAL_LM' }
    ],
    [
      'a chat without a template',
      [{ messages: [{ role: 'user', content: 'A' }] }],
      /:1: "messages" need a chat template/
    ],
    [
      'a chat that asks only',
      [{ messages: [{ role: 'user', content: 'A' }] }],
      /:1: no tokens to train on/,
      chatting('chatml')
    ],
    [
      'a role that the template refuses',
      [{ messages: [{ role: 'assistant', content: 'A' }] }],
      /a\.jsonl:1: mistral\.jinja: the chat template refuses the messages: /,
      chatting('mistral')
    ],
    [
      'tools that are no list',
      [{ messages: [{ role: 'user', content: 'A' }], tools: { name: 'w' } }],
      /a\.jsonl:1: expected "tools" to be a list of objects, found \{"name":"w"\}/,
      chatting('chatml')
    ],
    [
      'tools that are a text but no JSON',
      [{ messages: [{ role: 'user', content: 'A' }], tools: 'w' }],
      /a\.jsonl:1: "tools" is a text that is not JSON/,
      chatting('chatml')
    ],
    [
      'variables of a chat that are no object',
      [{ messages: [{ role: 'user', content: 'A' }], chat_template_kwargs: [1] }],
      /a\.jsonl:1: expected "chat_template_kwargs" to be an object, found \[1\]/,
      chatting('chatml')
    ],
    [
      'content in parts where the template joins texts',
      [{ messages: [{ role: 'user', content: [{ type: 'text', text: 'A' }] }] }],
      /a\.jsonl:1: chatml\.jinja: the chat template fails .*can only concatenate str \(not "list"\) to str/,
      chatting('chatml')
    ],
    ['messages that are none', [{ messages: ['A'] }], /:1: expected "messages" to be a list of/, chatting('chatml')]
  ]
  for (const [name, content, message, more] of cases) {
    test(name, async t => {
      await assert.rejects(
        load(await write(t, { 'a.jsonl': content }), more),
        (error: { code: string; message: string }) => {
          assert.match(error.message, message)
          assert.ok(['INVALID_ARGUMENT', 'UNSUPPORTED'].includes(error.code), error.code)
          return true
        }
      )
    })
  }

  test('paths where no data is', async t => {
    const folder = await write(t, { 'a.parquet': 'PAR1' })
    await mkdir(join(folder, 'empty'))
    await assert.rejects(load(join(folder, 'none.jsonl')), {
      code: 'NOT_FOUND',
      message: /none\.jsonl: no such file or folder$/
    })
    await assert.rejects(load('tatsu-lab/alpaca'), {
      code: 'NOT_FOUND',
      message: /load_dataset\('tatsu-lab\/alpaca', /
    })
    await assert.rejects(load('https://a.org/b.jsonl'), { code: 'NOT_FOUND', message: /addresses are not fetched/ })
    await assert.rejects(load(join(folder, 'empty')), /no data in this folder \(expected files ending in \.jsonl, /)
    await assert.rejects(
      load(join(folder, 'a.parquet')),
      /a\.parquet: expected a file ending in .*; convert \.parquet first/
    )
    const sheet = join(await write(t, { 'a.xlsx': 'PK' }), 'a.xlsx')
    await assert.rejects(load(sheet), /a\.xlsx: expected a file ending in .*; save it as CSV or JSON lines first$/)
    await assert.rejects(load(folder), /a\.parquet: expected a file ending in .*; convert \.parquet first/)
  })
})
