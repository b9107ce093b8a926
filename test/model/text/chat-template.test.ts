// Conversations rendered by the templates that models come with, against transformers' apply_chat_template.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import {
  type ChatMessage,
  type ChatTemplate,
  chatTemplateOf,
  renderAssistantTurns,
  renderChat
} from '../../../model/text/chat-template.ts'
import { parseJson } from '../../../model/text/exact-json.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { copyModel, referencePath, tinyPath } from '../support.ts'
import { referenceNow, templateReference } from './template-reference.ts'

interface Case {
  template: string
  conversation: string
  messages: ChatMessage[]
  variables: Record<string, unknown>
  addGenerationPrompt: boolean
  text: string
  /** of templates that mark it */
  assistant?: [number, number][]
}

let cases: Case[]
let templates: Map<string, ChatTemplate>

before(async () => {
  const file = JSON.parse(await readFile(referencePath('chat.json'), 'utf8'))
  cases = file.cases
  templates = new Map(
    Object.entries<string>(file.templates).map(([name, source]) => [
      name,
      { source, specialTokens: file.specialTokens, file: `${name}.jinja` }
    ])
  )
})

const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content })

/** What the assistant says of a conversation, by template. */
function said(template: string, messages: ChatMessage[]): string[] {
  const { text, assistant } = renderAssistantTurns(templates.get(template)!, messages)
  assert.equal(text, renderChat(templates.get(template)!, messages))
  return assistant.map(({ start, end }) => text.slice(start, end))
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)

function refuses(run: () => unknown, code: string, message: RegExp): void {
  assert.throws(run, error => {
    assert.ok(error instanceof SwarmError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

describe('a conversation as text', () => {
  test('is what transformers renders, for every template and conversation', () => {
    assert.ok(cases.length >= 70)
    for (const { template, conversation, messages, variables, addGenerationPrompt, text } of cases) {
      const rendered = renderChat(templates.get(template)!, messages, { addGenerationPrompt, variables })
      assert.equal(rendered, text, `${template}, ${conversation}`)
    }
  })

  test("is refused with the template's own reason", () => {
    refuses(
      () => renderChat(templates.get('gemma')!, [assistant('first')]),
      'INVALID_ARGUMENT',
      /^gemma\.jinja: the chat template refuses the messages: Conversation roles must alternate/
    )
  })

  test('needs messages with a role', () => {
    refuses(() => renderChat(templates.get('chatml')!, []), 'INVALID_ARGUMENT', /at least one, found none/)
    const odd = [user('a'), { content: 'b' } as unknown as ChatMessage]
    refuses(
      () => renderChat(templates.get('chatml')!, odd),
      'INVALID_ARGUMENT',
      /message 1: expected .* \{"content":"b"\}/
    )
  })

  test('of a template that is no Jinja names its file', () => {
    const broken = { ...templates.get('chatml')!, source: '{% for message in %}' }
    refuses(() => renderChat(broken, [user('a')]), 'UNSUPPORTED', /^chatml\.jinja: the chat template cannot be read: ./)
  })
})

describe('real templates', async () => {
  const reference = await templateReference()
  const real = new Map(
    Object.entries(reference.templates).map(([name, source]) => [
      name,
      { source, specialTokens: reference.specialTokens, file: name }
    ])
  )
  const conversation = (kind: string) => {
    const { messages, ...variables } = parseJson(reference.conversations[kind]!) as { messages: ChatMessage[] }
    return { messages, variables, now: referenceNow }
  }

  test('write what transformers writes, and refuse with its words', () => {
    assert.ok(reference.cases.length >= 900)
    for (const [name, kind, addGenerationPrompt, expected] of reference.cases) {
      const { messages, ...options } = conversation(kind)
      const where = `${name}, ${kind}, ${addGenerationPrompt}`
      let found: unknown
      try {
        found = hash(renderChat(real.get(name)!, messages, { addGenerationPrompt, ...options }))
      } catch (error) {
        assert.ok(error instanceof SwarmError, String(error))
        assert.equal(error.code, 'INVALID_ARGUMENT', `${where}: ${error.message}`)
        found = error.message
      }
      if ('raised' in expected)
        assert.equal(found, `${name}: the chat template refuses the messages: ${expected.raised}`)
      else if ('error' in expected)
        assert.match(String(found), new RegExp(`: line \\d+: .*\\(${expected.error};`), where)
      else assert.equal(found, expected[0], where)
    }
  })

  test("mark the assistant's turns where transformers does", () => {
    const points = (text: string, units: number): number => Array.from(text.slice(0, units)).length
    let marked = 0
    for (const [name, kind, addGenerationPrompt, expected] of reference.cases) {
      if (addGenerationPrompt || !Array.isArray(expected) || expected[1] === undefined) continue
      const { messages, ...options } = conversation(kind)
      const { text, assistant } = renderAssistantTurns(real.get(name)!, messages, options)
      const found = assistant.map(({ start, end }) => [points(text, start), points(text, end)])
      assert.deepEqual([hash(text), found], expected, `${name}, ${kind}`)
      marked++
    }
    assert.ok(marked >= 40, `${marked}`)
  })

  test('are all found in their turns by the answers, where earlier thoughts are left out too', () => {
    const { messages } = conversation('thoughts')
    const said = (name: string): string[] => {
      const { text, assistant } = renderAssistantTurns(real.get(name)!, messages, { now: referenceNow })
      return assistant.map(({ start, end }) => text.slice(start, end))
    }
    assert.deepEqual(said('Qwen-Qwen3-0.6B'), ['Hello<|im_end|>\n', '<think>\nok\n</think>\n\nBye<|im_end|>\n'])
    assert.deepEqual(said('Qwen-QwQ-32B'), ['Hello<|im_end|>\n', '<think>ok</think>Bye<|im_end|>\n'])
    const deepseek = said('deepseek-ai-DeepSeek-R1-Distill-Qwen-32B')
    assert.deepEqual(deepseek, ['\n\nHello<｜end▁of▁sentence｜>', 'Bye<｜end▁of▁sentence｜>'])
  })
})

describe('messages reach the template as transformers hands them on:', () => {
  const write = (source: string, message: object, variables: Record<string, unknown> = {}): string =>
    renderChat({ source, specialTokens: {}, file: 'x.jinja' }, [{ role: 'user', ...message }], { variables })

  test('null only goes among the own fields of a message', () => {
    assert.equal(
      write('{{ messages|tojson }}', { content: null, call: { city: 'Rome', unit: null, deep: [{ a: null }] } }),
      '[{"role": "user", "call": {"city": "Rome", "unit": null, "deep": [{"a": null}]}}]'
    )
    assert.equal(write('{{ tools|tojson }}', {}, { tools: [{ default: null }] }), '[{"default": null}]')
  })

  test('numbers are floats where their text says so, ints keep their digits and keys their order', () => {
    const text =
      '{"lat": 41.0, "n": 41, "e": 1e2, "big": 12345678901234567890, "b": 1, "10": -0.0, "9": [2.50, 3.0, {"\\u0061": 1.0, "a": 2}], "t": "41.0 \\" 1.0"}'
    assert.equal(
      write('{{ messages[0].args|tojson }}', { args: parseJson(text) }),
      '{"lat": 41.0, "n": 41, "e": 100.0, "big": 12345678901234567890, "b": 1, "10": -0.0, "9": [2.5, 3.0, {"a": 2}], "t": "41.0 \\" 1.0"}'
    )
    assert.deepEqual(parseJson(text), JSON.parse(text))
  })

  test('thoughts have the names that templates read', () => {
    const source = '{% for key in messages[0] %}{{ key }}={{ messages[0][key] }};{% endfor %}'
    assert.equal(write(source, { reasoning: 'r' }), 'thinking=r;role=user;reasoning=r;reasoning_content=r;')
    assert.equal(write(source, { thinking: 't' }), 'thinking=t;role=user;reasoning_content=t;')
  })

  test('content that is no text is an error where the template joins texts', () => {
    const source = "\n{{ '<' + messages[0].content + '>' }}"
    refuses(
      () => write(source, { content: [{ type: 'text', text: 'Hi' }] }),
      'INVALID_ARGUMENT',
      /^x\.jinja: the chat template fails with these messages: line 2: can only concatenate str \(not "list"\) to str \(TypeError; /
    )
    refuses(() => write(source, { content: 5 }), 'INVALID_ARGUMENT', /can only concatenate str \(not "int"\) to str/)
  })

  test('lines of the template end as on Unix', () => {
    const source = '{% for m in messages %}\r\n<{{ m.role }}>\r\n{{ m.content }}\r{% endfor %}\r\n'
    assert.equal(write(source, { content: 'a\r\nb' }), '<user>\na\r\nb\n')
  })

  test('arguments of strip count', () => {
    assert.equal(
      write("{{ messages[0].content.lstrip('\\n').rstrip('.') }}", { content: '\n    return 1..' }),
      '    return 1'
    )
  })

  test('what JSON does not have is an error', () => {
    refuses(() => write('', { content: () => 1 }), 'INVALID_ARGUMENT', /^message 0: .*found a function/)
    const ring: Record<string, unknown> = { role: 'user' }
    ring.content = ring
    refuses(() => write('', ring), 'INVALID_ARGUMENT', /^message 0: nested deeper than 200/)
    refuses(
      () => write('', {}, { tools: ['a'] }),
      'INVALID_ARGUMENT',
      /^tools: expected a list of objects, found \["a"\]/
    )
  })

  test('a template that never ends is stopped, and said to be', () => {
    refuses(
      () =>
        write("\n{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", {}),
      'UNSUPPORTED',
      /^x\.jinja: the chat template was stopped: line 2: makes a text of more than \d+ characters$/
    )
  })
})

describe("the assistant's turns", () => {
  test('are what transformers marks where the template says so', () => {
    const marked = cases.filter(item => item.assistant !== undefined)
    assert.equal(marked.length, 8)
    for (const { template, conversation, messages, assistant, text } of marked) {
      const rendered = renderAssistantTurns(templates.get(template)!, messages)
      assert.equal(rendered.text, text)
      assert.deepEqual(
        rendered.assistant.map(({ start, end }) => [start, end]),
        assistant,
        `${template}, ${conversation}`
      )
    }
  })

  test('are what a message adds to its generation prompt where it does not, with the end token', () => {
    const messages = [user('1?'), assistant('one'), user('2?'), assistant('two')]
    assert.deepEqual(said('chatml', messages), ['one<|im_end|>\n', 'two<|im_end|>\n'])
    assert.deepEqual(said('llama3', messages), ['one<|eot_id|>', 'two<|eot_id|>'])
    assert.deepEqual(said('gemma', messages), ['one<end_of_turn>\n', 'two<end_of_turn>\n'])
    assert.deepEqual(said('mistral', messages), [' one</s>', ' two</s>'])
  })

  test('are found where an earlier turn is written without its thoughts', () => {
    const messages = [user('1?'), assistant('one'), user('2?'), assistant('<think>\nah\n</think>\n\ntwo')]
    assert.deepEqual(said('qwen3', messages), ['one<|im_end|>\n', '<think>\nah\n</think>\n\ntwo<|im_end|>\n'])
  })

  test('never hold what the user says, also where answers are equal, by every real template', async () => {
    const { templates: sources, specialTokens } = await templateReference()
    const messages = [user('Qq1'), assistant('Hi'), user('Qq2'), assistant('Hi'), user('Qq3'), assistant('Hi')]
    const refused: string[] = []
    for (const [file, source] of Object.entries(sources)) {
      let turns: string[]
      try {
        const { text, assistant: ranges } = renderAssistantTurns({ source, specialTokens, file }, messages)
        turns = ranges.map(({ start, end }) => text.slice(start, end))
      } catch (error) {
        assert.equal((error as SwarmError).code, 'UNSUPPORTED', file)
        refused.push(file)
        continue
      }
      assert.ok(!turns.some(turn => turn.includes('Qq')), `${file}: ${JSON.stringify(turns)}`)
    }
    // the last answer ends with a token of its own, and earlier ones are written without thoughts that their prompt begins
    assert.deepEqual(refused.sort(), ['GLM-4.7-Flash', 'openai-gpt-oss-120b'])
  })

  test('of a template that closes the conversation with the end token are those that TRL marks in its own', async () => {
    const { templates: sources, specialTokens } = await templateReference()
    const messages = [user('1?'), assistant('one'), user('2?'), assistant('<think>ah</think>two')]
    const [found, marked] = ['microsoft-Phi-3.5-mini-instruct', 'trl phi3_training'].map(file => {
      const { text, assistant: ranges } = renderAssistantTurns(
        { source: sources[file]!, specialTokens, file },
        messages
      )
      return ranges.map(({ start, end }) => text.slice(start, end)).join('')
    })
    assert.equal(found, marked)
  })

  test('are none in a conversation without answers', () => {
    assert.deepEqual(said('chatml', [user('1?')]), [])
    assert.deepEqual(said('marked', [user('1?')]), [])
  })

  test('that a template hides are an error, not a guess', () => {
    const shouting = { ...templates.get('chatml')!, source: '{{ messages | length }}{{ messages | tojson }}' }
    refuses(
      () => renderAssistantTurns(shouting, [user('1?'), assistant('one')]),
      'UNSUPPORTED',
      /message 1: where the assistant's turn lies cannot be told.*\{% generation %\}/
    )
  })

  test('are not moved by marks in what users write', () => {
    const messages = [user('\uE0F0x\uE0F1'), assistant('o\uE0F0ne')]
    assert.deepEqual(said('marked', messages), ['o\uE0F0ne</s>\n'])
  })
})

describe("a tokenizer's template", () => {
  test('is that of tokenizer_config.json, the one called default where there are several', () => {
    const named = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: '{{ bos_token }}' }
    ]
    const template = chatTemplateOf({ chat_template: named, bos_token: { content: '<s>' } }, undefined, 'here')
    assert.deepEqual(template, {
      source: '{{ bos_token }}',
      toolUse: 'tools',
      specialTokens: { bos_token: '<s>' },
      file: 'here'
    })
    assert.equal(chatTemplateOf({ chat_template: 'one' }, undefined, 'here')!.source, 'one')
    assert.equal(chatTemplateOf({}, undefined, 'here'), null)
  })

  test('is tool_use where there are tools, as transformers picks it', () => {
    const named = [
      { name: 'tool_use', template: 'TOOLS {{ tools|tojson }}' },
      { name: 'default', template: '{{ messages[0].content }}' }
    ]
    const template = chatTemplateOf({ chat_template: named }, undefined, 'here')!
    const tools = [{ type: 'function' }]
    assert.equal(renderChat(template, [user('Hi')]), 'Hi')
    assert.equal(renderChat(template, [user('Hi')], { variables: { tools: null } }), 'Hi')
    assert.equal(renderChat(template, [user('Hi')], { variables: { tools } }), 'TOOLS [{"type": "function"}]')
    assert.equal(renderChat(template, [user('Hi')], { variables: { tools: [] } }), 'TOOLS []')
  })

  test('is needed: names without a default are an error with the names', () => {
    const named = [
      { name: 'rag', template: 'a' },
      { name: 'tool_use', template: 'TOOLS' }
    ]
    const template = chatTemplateOf({ chat_template: named }, undefined, 'here')!
    refuses(() => renderChat(template, [user('Hi')]), 'INVALID_ARGUMENT', /none called default: rag, tool_use$/)
    assert.equal(renderChat(template, [user('Hi')], { variables: { tools: [] } }), 'TOOLS')
  })

  test('is chat_template.jinja where the model has that file', async context => {
    const path = await copyModel(context, tinyPath)
    await writeFile(join(path, 'chat_template.jinja'), '{{ messages[0].content }}{{ eos_token }}')
    const { chatTemplate, decode, eosTokenId } = await loadTokenizer(path)
    assert.equal(renderChat(chatTemplate!, [user('hi')]), `hi${decode([eosTokenId!])}`)
    const tools = { variables: { tools: [] } }
    assert.equal(renderChat(chatTemplate!, [user('hi')], tools), `hi${decode([eosTokenId!])}`)
    await mkdir(join(path, 'additional_chat_templates'))
    await writeFile(join(path, 'additional_chat_templates/tool_use.jinja'), 'TOOLS')
    const both = (await loadTokenizer(path)).chatTemplate!
    assert.deepEqual(
      [renderChat(both, [user('hi')], tools), renderChat(both, [user('hi')]).slice(0, 2)],
      ['TOOLS', 'hi']
    )
  })
})
