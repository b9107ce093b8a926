// Answers as thoughts, text and calls: what real templates write (scripts/reference/tool_calls.py), however it is cut, and what is no call.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { AnswerParser, type AnswerPiece, type ParserSettings } from '../../../gateway/chat/answer/parser.ts'
import { begunThoughts, openThoughts } from '../../../gateway/chat/answer/thoughts.ts'
import type { FormatName } from '../../../gateway/chat/calls/format.ts'
import { callFormats } from '../../../gateway/chat/calls/formats.ts'
import { templateCalls } from '../../../gateway/chat/calls/template-calls.ts'
import type { Tool } from '../../../gateway/chat/request.ts'

type Call = readonly [name: string, input: Readonly<Record<string, unknown>>]

function readZipped<T>(name: string): T {
  const file = join(import.meta.dirname, '../../reference', name)
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as T
}

const reference = readZipped<{
  tools: { function: Tool }[]
  calls: Record<string, Call[]>
  cases: { template: string; kind: string; written: string; begins: string; read?: Call[] }[]
}>('tool-calls.json.gz')
const { templates, specialTokens } = readZipped<{
  templates: Record<string, string>
  specialTokens: Record<string, string>
}>('templates.json.gz')

const tools = new Map(reference.tools.map(({ function: tool }) => [tool.name, tool]))

interface Read {
  reasoning: string
  content: string
  calls: [name: string, written: string][]
}

function join_(pieces: readonly AnswerPiece[]): Read {
  const read: Read = { reasoning: '', content: '', calls: [] }
  for (const piece of pieces) {
    if (piece.type === 'call') read.calls.push([piece.name, ''])
    else if (piece.type === 'arguments') read.calls.at(-1)![1] += piece.text
    else if (piece.type !== 'call_end') read[piece.type] += piece.text
  }
  return read
}

/** @param cuts where the text is cut */
function read(text: string, settings: ParserSettings | FormatName, cuts: readonly number[] = []): Read {
  const given = typeof settings === 'string' ? { format: callFormats[settings], tools } : settings
  const parser = new AnswerParser(given)
  const places = [0, ...[...cuts].sort((a, b) => a - b), text.length]
  const pieces = places.slice(1).flatMap((end, at) => [...parser.push(text.slice(places[at], end))])
  return join_([...pieces, ...parser.end()])
}

const everywhere = (text: string): number[] => Array.from(text, (_, at) => at)
const parsed = ({ calls }: Read): unknown[] => calls.map(([name, written]) => [name, JSON.parse(written) as unknown])

/** Templates of TRL, whose texts are not stored. */
function formatOf(template: string): FormatName | null {
  const source = templates[template]
  if (source !== undefined) return templateCalls({ source, specialTokens, file: template }).format?.name ?? null
  if (template.startsWith('llama3')) return 'llama'
  if (template.startsWith('lfm2')) return 'lfm'
  if (template.includes('gemma')) return 'gemma'
  if (template.startsWith('deepseek')) return 'deepseek'
  if (template.startsWith('muse')) return 'invoke'
  return template.startsWith('gptoss') ? null : 'tagged'
}

/** Templates whose form is not understood. */
const unknown = new Set([
  'meetkai-functionary-medium-v3.2',
  'GigaChat3-10B-A1.8B',
  'openai-gpt-oss-120b',
  'trl gptoss_training',
  'gptoss'
])

/** These templates of LFM write quotes within quotes without an escape: such a call is none. */
const isBroken = ({ template, kind }: { template: string; kind: string }): boolean =>
  ['lfm2_2_5', 'lfm2_2_5_v2'].includes(template) && kind === 'quotes'

describe('calls as templates write them', () => {
  const known = reference.cases.filter(({ template }) => !unknown.has(template))

  it('are understood in the form that each template has', () => {
    const silent = reference.cases.filter(({ template }) => unknown.has(template))
    for (const { template } of silent) assert.equal(formatOf(template), null, template)
    const openingsOf = (template: string) =>
      templateCalls({ source: templates[template]!, specialTokens, file: template }).format!.openings
    assert.deepEqual(openingsOf('Qwen-Qwen3-0.6B'), ['<tool_call>'])
    assert.deepEqual(openingsOf('Qwen3-Coder'), ['<tool_call>', '<function='])
    assert.deepEqual(openingsOf('ibm-granite-granite-3.3-2B-Instruct'), ['<|tool_call|>'])
    assert.ok(new Set(known.map(({ template }) => template)).size > 40)
  })

  it('are read as what was called, and as transformers reads them', () => {
    for (const { template, kind, written, begins, read: theirs } of known) {
      const format = callFormats[formatOf(template)!]
      const found = read(written, { format, tools, begun: begunThoughts(begins) })
      const label = `${template}, ${kind}: ${written}`
      if (isBroken({ template, kind })) {
        assert.deepEqual(found.calls, [], label)
        assert.ok(found.content.includes('get_weather'), label)
        continue
      }
      assert.deepEqual(parsed(found), reference.calls[kind], label)
      // transformers' rules for LFM know no escapes
      if (theirs !== undefined && !(template.startsWith('lfm2') && ['quotes', 'lines'].includes(kind))) {
        assert.deepEqual(parsed(found), theirs, label)
      }
      // its channels name the tool before the call
      if (template === 'muse_glimmer') continue
      assert.doesNotMatch(found.content, /get_weather|now/, label)
    }
  })

  it('are the same however the text is cut, also within characters, and each piece is the beginning of JSON', () => {
    for (const { template, written, begins } of known.filter((one, at) => at % 5 === 0 && !isBroken(one))) {
      const settings = { format: callFormats[formatOf(template)!], tools, begun: begunThoughts(begins) }
      assert.deepEqual(read(written, settings, everywhere(written)), read(written, settings), template)
      const parser = new AnswerParser({ ...settings, commitAfter: 0 })
      let json = ''
      for (const character of written) {
        for (const piece of parser.push(character)) {
          if (piece.type === 'call') json = ''
          else if (piece.type === 'arguments') json += piece.text
          else if (piece.type === 'call_end') JSON.parse(json)
        }
      }
    }
  })
})

describe('answers', () => {
  it('have thoughts in front, by any name', () => {
    for (const [open, close] of [
      ['<think>', '</think>'],
      ['<thinking>', '</thinking>'],
      ['<seed:think>', '</seed:think>'],
      ['[THINK]', '[/THINK]'],
      ['<|channel>thought\n', '<channel|>'],
      ['<|START_THINKING|>', '<|END_THINKING|>']
    ]) {
      const whole = `${open}\nhm </think\n\n${close}\n\nHello <b>`
      assert.deepEqual(read(whole, {}), { reasoning: 'hm </think', content: 'Hello <b>', calls: [] })
      assert.deepEqual(read(whole, {}, everywhere(whole)), read(whole, {}))
      const begun = begunThoughts(`assistant\n${open}`)
      assert.equal(begun, close)
      assert.deepEqual(read(`hm ${close}Hello`, { begun }), { reasoning: 'hm', content: 'Hello', calls: [] })
      assert.equal(openThoughts(`${open} a ${close} b ${open} c`), close)
      assert.equal(openThoughts(`${open} a ${close} b`), null)
    }
  })

  it('may be thoughts that never end, thoughts twice, none at all, or text about them', () => {
    assert.deepEqual(read('<think>a b\n', {}), { reasoning: 'a b\n', content: '', calls: [] })
    assert.deepEqual(read('<think>a</think>\n<think>b</think>c', {}), { reasoning: 'ab', content: 'c', calls: [] })
    assert.deepEqual(read('<think>\n\n</think>\n\nc\n', {}), { reasoning: '', content: 'c\n', calls: [] })
    assert.deepEqual(read('a <think>b</think>', {}), { reasoning: '', content: 'a <think>b</think>', calls: [] })
    assert.deepEqual(read('<thin', {}), { reasoning: '', content: '<thin', calls: [] })
    assert.deepEqual(read(' \n', {}), { reasoning: '', content: ' \n', calls: [] })
    assert.deepEqual(read('<think>a <tool_call>{"name": "now"}</tool_call></think>b', 'tagged').calls, [])
  })

  it('have text before, between and after calls, without the white space around them', () => {
    const call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert.deepEqual(read(`  a \n${call}\n${call}\n b \n`, 'tagged'), {
      reasoning: '',
      content: '  a\n b',
      calls: [
        ['now', '{}'],
        ['now', '{}']
      ]
    })
  })

  it('take calls in the forms that models make of them', () => {
    const forms: [FormatName, string, Call[]][] = [
      ['tagged', '<tool_call>{"arguments": {"a": 1}, "name": "f"}</tool_call>', [['f', { a: 1 }]]],
      ['tagged', '<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>', [['f', { a: 1 }]]],
      ['tagged', '<tool_call>{"name": "f"}', [['f', {}]]],
      [
        'tagged',
        '<tool_call>{"type": "function", "function": {"name": "f", "arguments": {}}}</tool_call>',
        [['f', {}]]
      ],
      [
        'tagged',
        '<tool_call>[{"name": "f", "arguments": {}}, {"name": "g"}]</tool_call>',
        [
          ['f', {}],
          ['g', {}]
        ]
      ],
      [
        'tagged',
        '<tool_call>{"name": "f", "arguments": {"a": "one\nline\tmore"}}</tool_call>',
        [['f', { a: 'one\nline\tmore' }]]
      ],
      [
        'tagged',
        '<function=f>\n<parameter=a>\n{"b": 1}\n</parameter>\n</function>\n</tool_call>',
        [['f', { a: { b: 1 } }]]
      ],
      ['tagged', '<|tool_call|>[{"name": "f", "arguments": {"a": [1]}}]', [['f', { a: [1] }]]],
      ['mistral', '[TOOL_CALLS] [{"name": "f", "arguments": {"a": "]"}, "id": "abcde1234"}]', [['f', { a: ']' }]]],
      ['mistral', 'a[TOOL_CALLS]f{"a": 1}', [['f', { a: 1 }]]],
      [
        'llama',
        '<|python_tag|>{"name": "now", "parameters": {}}; {"name": "now", "parameters": {"zone": "x"}}',
        [
          ['now', {}],
          ['now', { zone: 'x' }]
        ]
      ],
      ['llama', '{"type": "function", "name": "now", "parameters": {}}', [['now', {}]]],
      ['llama', '<|python_tag|>brave_search.call(query="a \\"b\\"")', [['brave_search', { query: 'a "b"' }]]],
      [
        'pythonic',
        '[now(zone=\'it\\\'s\'), get_weather("Rome", days=-3, metric=True, tags=["a",], where={"lat": 1.5,})]',
        [
          ['now', { zone: "it's" }],
          ['get_weather', { city: 'Rome', days: -3, metric: true, tags: ['a'], where: { lat: 1.5 } }]
        ]
      ],
      [
        'gemma-code',
        'Yes:\n```tool_code\nprint(get_weather(city="Rome"))\nnow()\n```',
        [
          ['get_weather', { city: 'Rome' }],
          ['now', {}]
        ]
      ],
      [
        'gemma',
        '<start_function_call>call:f{a:<escape>x{,}<escape>,b:[1,{c:true}]}<end_function_call>',
        [['f', { a: 'x{,}', b: [1, { c: true }] }]]
      ],
      [
        'invoke',
        '<minimax:tool_call>\n<invoke name="f">\n<parameter name="a">1</parameter>\n</invoke>\n</minimax:tool_call>',
        [['f', { a: 1 }]]
      ]
    ]
    for (const [format, text, calls] of forms) {
      const found = read(text, format)
      assert.deepEqual(parsed(found), calls, text)
      assert.deepEqual(read(text, format, everywhere(text)), found, text)
    }
  })

  it('are read with certainty in the layout that a grammar holds them to', () => {
    const samples: Readonly<Record<FormatName, readonly string[]>> = {
      tagged: ['<tool_call>', '<tool_calls>', '<seed:tool_call>', '<|tool_call|>'],
      mistral: ['[TOOL_CALLS][{', '[TOOL_CALLS]f[ARGS]'],
      llama: [''],
      pythonic: [''],
      lfm: [''],
      'gemma-code': [''],
      gemma: ['<|tool_call>', '<start_function_call>'],
      deepseek: ['```json', ''],
      invoke: ['<function ', '<minimax:tool_call>', '<atem:function_calls>', '<｜DSML｜function_calls>']
    }
    const calls: Call[] = [
      ['get_weather', reference.calls.quotes![0]![1]],
      ['now', { zone: '</tool_call> ]} \n\u0000\ud83d "' }],
      ['get_weather', { city: 'x', where: { lat: -1.5e-7, in: [null, true, {}] }, tags: [] }],
      ['now', {}]
    ]
    for (const [name, texts] of Object.entries(samples) as [FormatName, readonly string[]][]) {
      for (const sample of texts) {
        const { begin, call, between, end } = callFormats[name].layout(sample)
        for (const spaces of [undefined, 1]) {
          const written = calls.map(([tool, input]) => {
            const [before, after] = call(tool)
            return `${before}${JSON.stringify(input, null, spaces)}${after}`
          })
          const many = between === null ? written.slice(0, 1) : written
          const text = `${begin}${many.join(between ?? '')}${end}`
          for (const settings of [name, { format: callFormats[name], tools, commitAfter: 0 }] as const) {
            const found = read(text, settings)
            assert.deepEqual(parsed(found), calls.slice(0, many.length), `${name} ${sample}: ${text}`)
            assert.equal(found.content, '', `${name} ${sample}: ${text}`)
          }
        }
      }
    }
  })

  it('keep what is no call as text, whole', () => {
    const texts: [FormatName, string][] = [
      ['tagged', '<tool_call>\n{"name": "now", "arguments": {bad}}\n</tool_call>'],
      ['tagged', '<tool_call>\n{"name": "now", "arguments": {"zone": "U'],
      ['tagged', '<tool_call>\n{"name": "now", "arguments": [1]}\n</tool_call>'],
      ['tagged', '<tool_call>\n{"arguments": {}}\n</tool_call>'],
      ['tagged', '<tool_call>\n{"name": 1, "arguments": {}}\n</tool_call>'],
      ['tagged', '<tool_call>'],
      ['tagged', '<tool_call>hello world</tool_call>'],
      ['tagged', '<tool_call><function=now><parameter=zone>x'],
      ['tagged', 'a <tool_call'],
      ['mistral', '[TOOL_CALLS]'],
      ['mistral', '[TOOL_CALLS]now[ARGS]x'],
      ['llama', '{"name": "Bob", "parameters": {}}'],
      ['llama', '{"name": "now", "age": 3}'],
      ['llama', '{"a": 1}'],
      ['llama', '<|python_tag|>import os'],
      ['pythonic', '[1, 2]'],
      ['pythonic', '[now(zone=os.name)]'],
      ['pythonic', '[unknown()]'],
      ['gemma', '<|tool_call>call:f{a:<|"|>x'],
      ['deepseek', '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a"'],
      ['gemma-code', '```tool_code\nx = 1\n```']
    ]
    for (const [format, text] of texts) {
      const expected = { reasoning: '', content: text, calls: [] }
      assert.deepEqual(read(text, format), expected)
      assert.deepEqual(read(text, format, everywhere(text)), expected)
    }
    const mixed = '<tool_call>{bad}</tool_call><tool_call>{"name": "now"}</tool_call>'
    assert.deepEqual(read(mixed, 'tagged'), {
      reasoning: '',
      content: '<tool_call>{bad}</tool_call>',
      calls: [['now', '{}']]
    })
  })

  it('give long arguments while they come', () => {
    const parser = new AnswerParser({ format: callFormats.tagged, tools, commitAfter: 100 })
    parser.push('<tool_call>{"name": "now", "arguments": {"zone": "')
    let pieces: AnswerPiece[] = []
    for (let count = 0; count < 50; count++) pieces = [...pieces, ...parser.push('abc ')]
    assert.equal(pieces[0]!.type, 'call')
    assert.ok(pieces.length > 20)
    // what is no JSON after all, is text from there on: nothing is lost
    const rest = join_([...pieces, ...parser.push('"; oh'), ...parser.end()])
    assert.deepEqual(rest.calls, [['now', `{"zone": "${'abc '.repeat(50)}"`]])
    assert.equal(rest.content, '; oh')
  })

  it('are the same however they are cut', () => {
    const names = Object.keys(callFormats) as FormatName[]
    const bits = fc.constantFrom(
      ...[
        '<think>',
        '</think>',
        '[THINK]',
        '<tool_call>',
        '</tool_call>',
        '\n',
        ' ',
        '{"name": "now", "arguments": ',
        '{"zone": "x\\n"}',
        '}'
      ],
      ...[
        '[TOOL_CALLS]',
        '[',
        ']',
        'now',
        '[ARGS]',
        '{',
        '"',
        '\\',
        '<function=now>',
        '<parameter=zone>',
        '</parameter>',
        '</function>',
        '😀'
      ],
      ...[
        '<|tool_call>',
        'call:now{',
        'zone:',
        '<|"|>',
        '<tool_call|>',
        '[now(',
        'zone=',
        "'a'",
        ')',
        '<|python_tag|>',
        ';',
        ',',
        'text'
      ]
    )
    const texts = fc.array(bits, { maxLength: 16 }).map(parts => parts.join(''))
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom(...names),
        fc.array(fc.nat(120)),
        fc.nat(40),
        (text, name, cuts, commitAfter) => {
          const settings = { format: callFormats[name], tools, commitAfter }
          const within = cuts.filter(cut => cut <= text.length)
          assert.deepEqual(read(text, settings, within), read(text, settings))
        }
      ),
      { numRuns: 600 }
    )
  })

  it('lose no text without tools, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        assert.equal(read(`x${text}`, {}).content, `x${text}`)
      })
    )
  })

  it('take time in proportion to their length', () => {
    const timeOf = (size: number): number => {
      const text = `<tool_call>{"name": "now", "arguments": {"zone": "${'a{"'.replace('"', '\\"').repeat(size)}"}}</tool_call>`
      const before = process.cpuUsage()
      const parser = new AnswerParser({ format: callFormats.tagged, tools })
      for (let at = 0; at < text.length; at += 4) parser.push(text.slice(at, at + 4))
      parser.end()
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    timeOf(20_000)
    const [short, long] = [timeOf(20_000), timeOf(160_000)]
    // eight times the text; squared it would be 64
    assert.ok(long < 32 * short, `${short} µs, ${long} µs`)
  })
})
