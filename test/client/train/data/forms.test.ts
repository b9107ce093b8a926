// Training data as people have it, beside what Hugging Face's datasets and TRL make of it (scripts/reference/data_forms.py).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { toLines } from '../../../../client/train/data/decode.ts'
import { readData } from '../../../../client/train/data/read.ts'
import { type DataContext, type Example, loadTrainingData } from '../../../../client/train/index.ts'
import { MiB } from '../../../../common/units.ts'
import { readReference, temporaryFolder } from '../../../../testing/references.ts'

type Fields = Readonly<Record<string, unknown>>

const reference = readReference<{
  tables: Record<string, { text: string; rows: Fields[] }>
  objects: Record<string, { text: string; rows: Fields[] }>
  zipped: string
  sharegpt: { conversations: Fields[]; messages: Fields[] }
  completions: { prompt: Fields[]; completion: Fields[]; learned: string; masked: string }[]
}>('data-forms.json')

const { templates } = readReference<{ templates: Record<string, string> }>('chat.json')

/** One token per letter. */
const context: DataContext = {
  tokenizer: {
    encode: (text, { addSpecialTokens = true } = {}) => [
      ...(addSpecialTokens ? [1] : []),
      ...[...text].map(letter => letter.codePointAt(0)!)
    ],
    chatTemplate: { source: templates.chatml!, specialTokens: {}, file: 'chatml.jinja' }
  },
  maxPositions: 1000,
  eosTokenId: 2
}

const withTemplate = (source: string): DataContext => ({
  ...context,
  tokenizer: { ...context.tokenizer, chatTemplate: { source, specialTokens: {}, file: 'x.jinja' } }
})

async function write(t: TestContext, name: string, content: string | Uint8Array | unknown[]): Promise<string> {
  const path = join(await temporaryFolder(t), name)
  await writeFile(path, Array.isArray(content) ? content.map(row => JSON.stringify(row)).join('\n') : content)
  return path
}

async function rowsOf(path: string): Promise<Fields[]> {
  const [file] = await readData([path])
  assert.ok('rows' in file!)
  return file.rows.map(({ fields }) => fields)
}

function textOf({ ids, labels }: Example): { learned: string; masked: string } {
  const text = (learned: boolean): string =>
    String.fromCodePoint(...ids.filter((id, place) => id > 2 && (labels[place] !== -100) === learned))
  return { learned: text(true), masked: text(false) }
}

async function learn(t: TestContext, rows: unknown[], how = context) {
  const { train } = await loadTrainingData({ train: await write(t, 'a.jsonl', rows) }, how)
  return train.map(textOf)
}

suite('files', () => {
  for (const [name, { text, rows }] of Object.entries({ ...reference.tables, ...reference.objects })) {
    test(`${name} has the rows that load_dataset reads`, async t => {
      assert.deepEqual(await rowsOf(await write(t, name, text)), rows)
    })
  }

  test('a list is also known as one where the file is called .jsonl, and gzip by the end of the name', async t => {
    const { text, rows } = reference.objects['list.json']!
    assert.deepEqual(await rowsOf(await write(t, 'a.jsonl', text)), rows)
    const zipped = Uint8Array.from(Buffer.from(reference.zipped, 'hex'))
    assert.deepEqual(await rowsOf(await write(t, 'a.json.gz', zipped)), reference.objects['lines.json']!.rows)
    await assert.rejects(rowsOf(await write(t, 'b.jsonl.gz', zipped.slice(0, 30))), {
      code: 'INVALID_ARGUMENT',
      message: /b\.jsonl\.gz: cannot be unpacked as gzip/
    })
  })

  test('gzip of several parts, padded with zeros, is read as gzip -d and Python read it; other bytes after it are refused', async t => {
    const lines = ['{"text":"A"}\n', '{"text":"B"}\n']
    const parts = [...lines.map(line => gzipSync(line)), Buffer.alloc(8)]
    const rows = [{ text: 'A' }, { text: 'B' }]
    assert.deepEqual(await rowsOf(await write(t, 'a.jsonl.gz', Buffer.concat(parts))), rows)
    const path = await write(t, 'b.jsonl.gz', Buffer.concat([...parts.slice(0, 2), Buffer.from('more')]))
    await assert.rejects(rowsOf(path), {
      message: /b\.jsonl\.gz: cannot be unpacked as gzip \(incorrect header check\)/
    })
    const cut = await write(t, 'c.jsonl.gz', parts[0]!.subarray(0, -4))
    await assert.rejects(rowsOf(cut), { message: /c\.jsonl\.gz: .* \(unexpected end of file\)/ })
  })

  test('a list of millions of objects is read, a line that never ends is not', async t => {
    const many = 2_100_000
    const [row] = await rowsOf(await write(t, 'a.json', `[{"text":"A","more":[${'[],'.repeat(many)}0]}]`))
    assert.equal((row as { more: unknown[] }).more.length, many + 1)
    const piece = new Uint8Array(128 * MiB).fill(65)
    let pieces = 0
    async function* endless() {
      for (; pieces < 8; pieces++) yield piece
    }
    await assert.rejects(toLines('b.jsonl')(endless()).next(), {
      code: 'INVALID_ARGUMENT',
      message: /b\.jsonl:1: a line of 536870912 bytes or more is too long/
    })
    assert.equal(pieces, 3, 'no piece after the one that is too much')
  })

  test('a row of a table is called by its line, also after quoted line ends', async t => {
    const path = await write(t, 'a.csv', 'text,label\n"A\nA",x\n\n,\nB,y,z\n')
    await assert.rejects(readData([path]), {
      message: `${path}:6: expected 2 columns (text, label), found 3 (quote fields that hold the separator)`
    })
    await assert.rejects(readData([await write(t, 'b.csv', 'text\nA\n"B\nC\n')]), /b\.csv:3: not CSV: .*quote/i)
    await assert.rejects(readData([await write(t, 'c.csv', 'text,text\nA,B\n')]), /c\.csv:1: expected each column once/)
  })

  test('lines keep their places over the pieces in which a file is read', async t => {
    const rows = Array.from({ length: 4 }, (_, index) => ({ text: `${index}${'é'.repeat(300_000)}` }))
    const lines = rows.map(row => JSON.stringify(row))
    assert.deepEqual(await rowsOf(await write(t, 'a.jsonl', `\ufeff${lines.join('\r\n')}`)), rows)
    const broken = Buffer.from(`${lines.join('\n')}\n`)
    broken[broken.length - 10] = 0xff
    await assert.rejects(rowsOf(await write(t, 'b.jsonl', broken)), { message: /b\.jsonl:4: not UTF-8 \(save/ })
    const path = await write(t, 'c.jsonl', `${lines.join('\n')}\n[1]`)
    await assert.rejects(rowsOf(path), { message: `${path}:5: expected a JSON object, found [1]` })
  })

  test('how a table is separated, and how many rows are empty, is said', async t => {
    const path = await write(t, 'a.csv', 'prompt;completion\nA;B\n;\n\nC;D\n')
    const { train, description } = await loadTrainingData({ train: path }, context)
    assert.equal(train.length, 2)
    assert.deepEqual(description, [
      `${path}: completion (separated by semicolons, by its fields), 2 examples, 8 tokens, 4 labels`,
      '  2 empty rows skipped'
    ])
  })

  test('rows of a text file that say nothing are skipped and counted', async t => {
    const path = await write(t, 'a.jsonl', [{ text: '' }, { text: 'A' }, { text: ' \n' }])
    const { train, description } = await loadTrainingData({ train: path }, context)
    assert.deepEqual(train, [{ ids: [1, 65, 2], labels: [-100, 65, 2] }])
    assert.equal(description[1], '  2 empty rows skipped')
    await assert.rejects(loadTrainingData({ train: await write(t, 'b.jsonl', [{ text: '' }]) }, context), {
      message: /b\.jsonl: all rows are empty/
    })
  })

  test('values of a table that are JSON are read as it where a format wants lists', async t => {
    const tags = await write(t, 'a.csv', 'tokens,tags\n"[""A"",""B""]","[""O"",""X""]"\n')
    const { train, labels } = await loadTrainingData({ train: tags }, context)
    assert.deepEqual(labels, ['O', 'X'])
    assert.deepEqual(train[0]!.labels, [-100, 0, 1, -100])
    const messages = JSON.stringify(reference.sharegpt.messages).replaceAll('"', '""')
    const chat = await write(t, 'b.csv', `messages,source\n"${messages}",x\n`)
    assert.equal(
      textOf((await loadTrainingData({ train: chat }, context)).train[0]!).learned,
      'B.<|im_end|>\nD.<|im_end|>\n'
    )
  })

  test('what is not read is refused with what to do', async t => {
    const cases: [name: string, content: string | Uint8Array, message: RegExp][] = [
      [
        'a.json',
        '{\n "data": [{"text": "A"}]\n}',
        /a\.json: expected a list of objects, .*: write the list in "data" alone/
      ],
      [
        'a.json',
        '{"data": [{"text": "A"}]}',
        /a\.json:1: expected the fields .*; found data; if the rows lie in "data"/
      ],
      [
        'a.jsonl',
        [{ question: 'A', answer: 'B' }].map(row => JSON.stringify(row)).join(''),
        /rename question, answer to prompt and completion/
      ],
      ['a.jsonl', '{"prompt": "A", "chosen": "B", "rejected": "C"}', /preference training, which is not implemented/],
      ['a.jsonl', '{"tokens": ["A"], "ner_tags": [0]}', /rename tokens, ner_tags to tokens and tags/],
      ['a.jsonl', Uint8Array.of(0xff, 0xfe, 0x7b, 0), /a\.jsonl:1: not UTF-8 but UTF-16/],
      [
        'a.jsonl',
        '{"instruction": "A", "output": "B", "history": [["C", "D"]]}',
        /"history" has no place in Alpaca's prompt/
      ]
    ]
    for (const [name, content, message] of cases) {
      const path = await write(t, name, content)
      await assert.rejects(loadTrainingData({ train: path }, context), { code: 'INVALID_ARGUMENT', message })
    }
  })
})

suite('conversations', () => {
  test('of ShareGPT are those of their messages', async t => {
    const { conversations, messages } = reference.sharegpt
    const [first, second, third] = await learn(t, [{ conversations }, { conversations: messages }])
    assert.equal(third, undefined)
    assert.deepEqual(first, second)
    assert.deepEqual([first], await learn(t, [{ messages }]))
    assert.equal(first!.learned, 'B.<|im_end|>\nD.<|im_end|>\n')
  })

  test('as prompts and completions are learned where SFTTrainer learns them', async t => {
    const rows = reference.completions.map(({ prompt, completion }) => ({ prompt, completion }))
    const expected = reference.completions.map(({ learned, masked }) => ({ learned, masked }))
    assert.deepEqual(await learn(t, rows), expected)
  })

  test('have their system message in a field of its own, or in the first message', async t => {
    const conversations = reference.sharegpt.conversations.slice(0, 2)
    const own = [{ from: 'system', value: 'Be brief.' }, ...conversations]
    const [field, message] = await learn(t, [{ system: 'Be brief.', conversations }, { conversations: own }])
    assert.match(field!.masked, /^<\|im_start\|>system\nBe brief\.<\|im_end\|>\n<\|im_start\|>user\nA\?/)
    assert.deepEqual(field, message)
    await assert.rejects(learn(t, [{ system: 'Be long.', conversations: own }]), /two different system messages/)
  })

  test('call tools as ShareGPT writes it, with tools of the row, of the system message, or as functions', async t => {
    const source =
      '{{ tools|tojson }}{% for m in messages %}<{{ m.role }}>{% if m.role == "assistant" %}{% generation %}{{ m.content }}{{ m.tool_calls|tojson if m.tool_calls }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}'
    const turns = [
      { from: 'human', value: 'A?' },
      { from: 'function_call', value: '{"name": "f", "arguments": {"x": 1.0}}' },
      { from: 'observation', value: '7' },
      { from: 'gpt', value: 'B.' }
    ]
    const tools = [{ name: 'f' }]
    const called = '[{"type": "function", "function": {"name": "f", "arguments": {"x": 1.0}}}]'
    const found = await learn(
      t,
      [
        { conversations: turns, tools },
        { conversations: turns, tools: JSON.stringify(tools) },
        { conversations: [{ from: 'system', value: 'S', tools: JSON.stringify(tools) }, ...turns] },
        { conversations: turns, functions: tools }
      ],
      withTemplate(source)
    )
    const rest = '<user>A?<assistant><tool>7<assistant>'
    const learned = `${called}B.`
    assert.deepEqual(found, [
      { learned, masked: `[{"name": "f"}]${rest}` },
      { learned, masked: `[{"name": "f"}]${rest}` },
      { learned, masked: `[{"name": "f"}]<system>S${rest}` },
      { learned, masked: `[{"type": "function", "function": {"name": "f"}}]${rest}` }
    ])
  })

  test('leave out the answers that the data says not to learn', async t => {
    const [first, second] = reference.sharegpt.messages as [Fields, Fields]
    for (const mark of [{ weight: 0 }, { train: false }, { training: false }]) {
      const messages = [first, { ...second, ...mark }, first, { ...second, content: 'D.', weight: 1 }]
      assert.equal((await learn(t, [{ messages }]))[0]!.learned, 'D.<|im_end|>\n')
    }
  })

  test('with thoughts in several answers are learned as the template writes them', async t => {
    // of models that leave thoughts of earlier turns out (Qwen3, DeepSeek-R1)
    const source =
      "{%- for m in messages %}{%- set c = m.content %}{%- if m.role == 'assistant' and not loop.last %}{%- set c = c.split('</think>')[-1] %}" +
      "{%- endif %}{{- '<' + m.role + '>' + c + '</s>' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<assistant>' }}{%- endif %}"
    const answer = (thoughts: string, said: string) => ({ from: 'gpt', value: `<think>${thoughts}</think>${said}` })
    const ask = (value: string) => ({ from: 'human', value })
    const conversations = [
      ask('Hi'),
      answer('hm', 'Hello'),
      ask('And?'),
      answer('Hello', 'Hello'),
      ask('Bye'),
      answer('ok', 'Bye')
    ]
    assert.deepEqual(await learn(t, [{ conversations }], withTemplate(source)), [
      {
        learned: 'Hello</s>Hello</s><think>ok</think>Bye</s>',
        masked: '<user>Hi</s><assistant><user>And?</s><assistant><user>Bye</s><assistant>'
      }
    ])
  })

  test('with a role that nobody knows are refused with the roles there are', async t => {
    const rows = [{ conversations: [{ from: 'narrator', value: 'A' }] }]
    await assert.rejects(learn(t, rows), {
      code: 'INVALID_ARGUMENT',
      message: /a\.jsonl:1: expected "from" to be one of system, .*, gpt, .*; found "narrator"$/
    })
  })
})

test('the forms in docs/training-data.md are those of the code', async () => {
  const { dataFormatNames } = await import('../../../../client/train/index.ts')
  const text = readFileSync(join(import.meta.dirname, '../../../../docs/training-data.md'), 'utf8')
  for (const name of dataFormatNames) assert.match(text, new RegExp(`^\\| \`${name}\` \\|`, 'm'), name)
})
