// Conversations rendered by the templates that models come with, against transformers' apply_chat_template.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { SwarmError } from '../../common/errors.ts'
import {
  type ChatMessage,
  type ChatTemplate,
  chatTemplateOf,
  renderAssistantTurns,
  renderChat
} from '../../model/chat-template.ts'
import { loadTokenizer } from '../../model/tokenizer.ts'
import { copyModel, referencePath, tinyPath } from './support.ts'

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
    assert.deepEqual(said('marked', messages), ['one</s>\n'])
  })
})

describe("a tokenizer's template", () => {
  test('is that of tokenizer_config.json, the one called default where there are several', () => {
    const named = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: '{{ bos_token }}' }
    ]
    const template = chatTemplateOf({ chat_template: named, bos_token: { content: '<s>' } }, undefined, 'here')
    assert.deepEqual(template, { source: '{{ bos_token }}', specialTokens: { bos_token: '<s>' }, file: 'here' })
    assert.equal(chatTemplateOf({ chat_template: 'one' }, undefined, 'here')!.source, 'one')
    assert.equal(chatTemplateOf({}, undefined, 'here'), null)
  })

  test('is chat_template.jinja where the model has that file', async context => {
    const path = await copyModel(context, tinyPath)
    await writeFile(join(path, 'chat_template.jinja'), '{{ messages[0].content }}{{ eos_token }}')
    const { chatTemplate, decode, eosTokenId } = await loadTokenizer(path)
    assert.equal(renderChat(chatTemplate!, [user('hi')]), `hi${decode([eosTokenId!])}`)
  })
})
