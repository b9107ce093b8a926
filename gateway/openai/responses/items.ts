// Items of responses: what requests hold and answers give, and what conversation they are.
import { z } from '@hono/zod-openapi'
import type { ChatMessage } from '../../../client/index.ts'
import { invalid } from '../../errors.ts'
import type { ServedModel } from '../../models/served-model.ts'
import { answerId, tokenLogprob } from '../chat-answer.ts'
import { systemRole, textOnly, toArguments } from '../conversation.ts'
import { noEffect, refused, refusedType } from '../fields.ts'

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete'])
const id = z.string().nullish()
const status = itemStatus.nullish()
const phase = noEffect(z.string(), 'templates know no phases')
const cacheBreakpoint = noEffect(z.looseObject({}), 'prefixes are always kept and found again')

/** What helpers of OpenAI's clients add to answers, and send back. */
const ofClient = noEffect(z.unknown(), 'the client made it of the text')

const inputText = z.strictObject({
  type: z.literal('input_text'),
  text: z.string(),
  prompt_cache_breakpoint: cacheBreakpoint
})
const outputText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: noEffect(z.array(z.unknown()), 'answers have none'),
  logprobs: noEffect(z.array(z.unknown()), 'they belong to the answer'),
  parsed: ofClient
})
const refusal = z.strictObject({ type: z.literal('refusal'), refusal: z.string() })
const contentPart = z.discriminatedUnion('type', [
  inputText,
  outputText,
  refusal,
  refusedType('input_image', textOnly),
  refusedType('input_audio', textOnly),
  refusedType('input_file', 'put the text of the file into an input_text part')
])
type Part = z.infer<typeof contentPart>

const messageFields = {
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(contentPart)]),
  id,
  status,
  phase
} as const

const functionCall = z.strictObject({
  type: z.literal('function_call'),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
  parsed_arguments: ofClient,
  id,
  status,
  async: refused('calls are not asynchronous', z.literal(false)),
  caller: refused('tools are called by the model', z.looseObject({ type: z.literal('direct') })),
  namespace: refused('tools have no namespaces')
})

const functionCallOutput = z.strictObject({
  type: z.literal('function_call_output'),
  call_id: z.string(),
  output: z.union([z.string(), z.array(contentPart)]),
  id,
  status,
  name: z.string().nullish(),
  caller: refused('tools are called by the model', z.looseObject({ type: z.literal('direct') })),
  namespace: refused('tools have no namespaces')
})

const reasoning = z.strictObject({
  type: z.literal('reasoning'),
  id,
  summary: z.array(z.strictObject({ type: z.literal('summary_text'), text: z.string() })).nullish(),
  content: z.array(z.strictObject({ type: z.literal('reasoning_text'), text: z.string() })).nullish(),
  encrypted_content: refused('thoughts of other services cannot be read'),
  status
})

const itemReference = z.strictObject({ type: z.literal('item_reference'), id: z.string() })

const noSuchTool = 'there is no such tool here: describe functions of your own'

/** Items of tools that run at OpenAI, and of what only they store. */
const refusedItems = [
  ...['additional_tools', 'apply_patch_call', 'apply_patch_call_output', 'code_interpreter_call', 'compaction'],
  ...['compaction_trigger', 'computer_call', 'computer_call_output', 'configuration_update', 'custom_tool_call'],
  ...['custom_tool_call_output', 'file_search_call', 'image_generation_call', 'local_shell_call'],
  ...['local_shell_call_output', 'mcp_approval_request', 'mcp_approval_response', 'mcp_call', 'mcp_list_tools'],
  ...['program', 'program_output', 'shell_call', 'shell_call_output', 'tool_search_call', 'tool_search_output'],
  'web_search_call'
] as const

const message = z.strictObject({ type: z.literal('message'), ...messageFields })

export const inputItem = z.union([
  z.discriminatedUnion('type', [
    message,
    functionCall,
    functionCallOutput,
    reasoning,
    itemReference,
    ...refusedItems.map(type => refusedType(type, noSuchTool))
  ]),
  // the type of a message may be left out
  z.strictObject(messageFields)
])

type InputItem = z.infer<typeof inputItem>

export const outputTextPart = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.never().openapi({ type: 'null' })),
  logprobs: z.array(tokenLogprob)
})

const outputMessage = z.object({
  type: z.literal('message'),
  id: z.string(),
  role: z.literal('assistant'),
  status: itemStatus,
  content: z.array(outputTextPart)
})

const outputCall = z.object({
  type: z.literal('function_call'),
  id: z.string(),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
  status: itemStatus
})

const outputReasoning = z.object({
  type: z.literal('reasoning'),
  id: z.string(),
  summary: z.array(z.object({ type: z.literal('summary_text'), text: z.string() })),
  content: z.array(z.object({ type: z.literal('reasoning_text'), text: z.string() })),
  encrypted_content: z.null(),
  status: itemStatus
})

export const outputItem = z.discriminatedUnion('type', [outputMessage, outputCall, outputReasoning])

export type OutputItem = z.infer<typeof outputItem>

/** An item as it is stored, with its id; messages have parts. */
export type StoredItem = { readonly id: string } & (
  | (Omit<z.infer<typeof message>, 'content'> & { readonly content: readonly Part[] })
  | z.infer<typeof functionCall>
  | z.infer<typeof functionCallOutput>
  | z.infer<typeof reasoning>
)

export const itemList = z
  .object({
    object: z.literal('list'),
    data: z.array(z.looseObject({ type: z.string(), id: z.string() })),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean()
  })
  .openapi('ResponseItemList')

function toStoredMessage({ role, content, id, status }: Omit<z.infer<typeof message>, 'type'>): StoredItem {
  const type = role === 'assistant' ? 'output_text' : 'input_text'
  const parts = typeof content === 'string' ? [{ type, text: content } as const] : content
  return { type: 'message', id: id ?? answerId('msg_'), role, status: status ?? 'completed', content: parts }
}

/**
 * The items of a request with their ids, references looked up.
 * Throws ApiError 400 for a reference to an item that is not stored.
 * @param find an item of a stored response
 */
export function toStoredItems(
  input: string | readonly InputItem[] | null | undefined,
  find: (id: string) => StoredItem | null
): StoredItem[] {
  const items = typeof input === 'string' ? [{ role: 'user' as const, content: input }] : (input ?? [])
  return items.map((item, at): StoredItem => {
    if (!('type' in item)) return toStoredMessage(item)
    switch (item.type) {
      case 'message':
        return toStoredMessage(item)
      case 'function_call':
        return { ...item, id: item.id ?? answerId('fc_') }
      case 'function_call_output':
        return { ...item, id: item.id ?? answerId('fco_') }
      case 'reasoning':
        return { ...item, id: item.id ?? answerId('rs_') }
      case 'item_reference': {
        const found = find(item.id)
        if (found !== null) return found
        const param = `input[${at}].id`
        throw invalid(`${param}: no stored response has an item '${item.id}'; send the item itself`, param)
      }
      default:
        throw invalid(`input[${at}]: type '${item.type}' is not supported: ${noSuchTool}`, `input[${at}]`)
    }
  })
}

function joinParts(content: string | readonly Part[]): string {
  if (typeof content === 'string') return content
  const texts = content.map(part => {
    if (part.type === 'refusal') return part.refusal
    return part.type === 'input_text' || part.type === 'output_text' ? part.text : ''
  })
  return texts.join('\n')
}

interface Turn {
  thoughts: string
  content: string | null
  readonly calls: { id: string; type: 'function'; function: { name: string; arguments: unknown } }[]
}

const isEmpty = ({ thoughts, content, calls }: Turn): boolean =>
  thoughts === '' && content === null && calls.length === 0

function toMessage({ thoughts, content, calls }: Turn): ChatMessage {
  return {
    role: 'assistant',
    content: content ?? '',
    ...(thoughts !== '' && { reasoning_content: thoughts }),
    ...(calls.length > 0 && { tool_calls: calls })
  }
}

/** The conversation: thoughts, text and calls that follow each other are one message of the assistant. */
export function toConversation(
  instructions: string | null | undefined,
  items: readonly StoredItem[],
  model: ServedModel
): ChatMessage[] {
  const messages: ChatMessage[] = []
  if (instructions) messages.push({ role: systemRole('developer', model), content: instructions })
  const names = new Map<string, string>()
  const begin = (): Turn => ({ thoughts: '', content: null, calls: [] })
  let turn = begin()
  const end = (): void => {
    if (!isEmpty(turn)) messages.push(toMessage(turn))
    turn = begin()
  }
  for (const item of items) {
    switch (item.type) {
      case 'message':
        if (item.role !== 'assistant') {
          end()
          const role = item.role === 'user' ? 'user' : systemRole(item.role, model)
          messages.push({ role, content: joinParts(item.content) })
          break
        }
        if (turn.content !== null || turn.calls.length > 0) end()
        turn.content = joinParts(item.content)
        break
      case 'reasoning': {
        if (turn.content !== null || turn.calls.length > 0) end()
        const texts = item.content?.length ? item.content : (item.summary ?? [])
        turn.thoughts += texts.map(({ text }) => text).join('\n')
        break
      }
      case 'function_call': {
        const { call_id: callId, name, arguments: text } = item
        names.set(callId, name)
        turn.calls.push({ id: callId, type: 'function', function: { name, arguments: toArguments(text) } })
        break
      }
      case 'function_call_output': {
        end()
        const called = item.name ?? names.get(item.call_id)
        messages.push({
          role: 'tool',
          content: joinParts(item.output),
          tool_call_id: item.call_id,
          ...(called !== undefined && { name: called })
        })
      }
    }
  }
  end()
  return messages
}
