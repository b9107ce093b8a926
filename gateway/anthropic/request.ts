// A request of Anthropic's Messages API as the gateway's own. Knows no HTTP.
import type { ChatMessage } from '../../client/index.ts'
import type { ChatRequest, ToolChoice } from '../chat/request.ts'
import { invalid } from '../errors.ts'
import type { ServedModel } from '../models/served-model.ts'
import type { CountBody, MessageParam, MessagesBody } from './schema.ts'

/** Blocks of text are paragraphs. */
const joined = (texts: readonly string[]): string => texts.join('\n\n')

type Blocks = Exclude<MessageParam['content'], string>
type Block = Blocks[number]
type Typed<T extends Block['type']> = Extract<Block, { type: T }>

const ofType = <T extends 'text' | 'thinking' | 'tool_use'>(blocks: Blocks, type: T): Typed<T>[] =>
  blocks.filter((block): block is Typed<T> => block.type === type)

/** Texts of a system prompt or of the result of a tool. */
function textOf(content: string | readonly { readonly type: string; readonly text?: unknown }[] | undefined): string {
  if (content === undefined || typeof content === 'string') return content ?? ''
  return joined(content.map(({ text }) => String(text)))
}

/** Which blocks may stand in which message. */
const allowed: Readonly<Record<MessageParam['role'], readonly Block['type'][]>> = {
  user: ['text', 'tool_result'],
  assistant: ['text', 'thinking', 'tool_use'],
  system: ['text']
}

/** The messages of one turn, as chat templates read them. */
class Conversation {
  readonly messages: ChatMessage[] = []
  /** names of the tools called so far, by the calls' ids */
  readonly #calls = new Map<string, string>()

  add({ role, content }: MessageParam, place: string): void {
    if (typeof content === 'string') this.#addText(role, content)
    else {
      for (const [index, { type }] of content.entries()) {
        if (!allowed[role].includes(type)) {
          throw invalid(
            `${place}.content[${index}]: a message of '${role}' has blocks of ${allowed[role].join(', ')}, found '${type}'`,
            `${place}.content[${index}].type`
          )
        }
      }
      if (role === 'assistant') this.#addAssistant(content)
      else this.#addUser(role, content, place)
    }
  }

  /** A second message of the same side goes on with the first, as in Anthropic's API. */
  #addText(role: MessageParam['role'], text: string): void {
    const last = this.messages.at(-1)
    if (last?.role !== role || role === 'system' || last.tool_calls !== undefined) {
      this.messages.push({ role, content: text })
    } else this.messages.splice(-1, 1, { ...last, content: joined([String(last.content), text]) })
  }

  #addAssistant(content: Blocks): void {
    const text = joined(ofType(content, 'text').map(({ text }) => text))
    const thoughts = joined(ofType(content, 'thinking').map(({ thinking }) => thinking))
    const calls = ofType(content, 'tool_use')
    for (const { id, name } of calls) this.#calls.set(id, name)
    if (calls.length === 0 && thoughts === '') this.#addText('assistant', text)
    else
      this.messages.push({
        role: 'assistant',
        content: text,
        ...(thoughts !== '' && { reasoning_content: thoughts }),
        ...(calls.length > 0 && {
          tool_calls: calls.map(({ id, name, input }) => ({
            id,
            type: 'function',
            function: { name, arguments: input }
          }))
        })
      })
  }

  #addUser(role: 'user' | 'system', content: Blocks, place: string): void {
    for (const [index, block] of content.entries()) {
      if (block.type !== 'tool_result') continue
      const name = this.#calls.get(block.tool_use_id)
      if (name === undefined) {
        throw invalid(
          `${place}.content[${index}].tool_use_id: no tool_use block before it has this id`,
          `${place}.content[${index}].tool_use_id`
        )
      }
      const text = textOf(block.content)
      const told = block.is_error === true && !/^error\b/i.test(text) ? `Error: ${text}` : text
      this.messages.push({ role: 'tool', tool_call_id: block.tool_use_id, name, content: told })
    }
    const texts = ofType(content, 'text').map(({ text }) => text)
    if (texts.length > 0) this.#addText(role, joined(texts))
  }
}

function toChoice(choice: CountBody['tool_choice'], hasTools: boolean): ToolChoice | undefined {
  if (choice === undefined) return undefined
  if (choice.type === 'none') return 'none'
  if (!hasTools && choice.type !== 'auto')
    throw invalid('tool_choice: there are no tools to choose from', 'tool_choice')
  if (choice.type === 'tool') return { name: choice.name }
  return choice.type === 'any' ? 'required' : 'auto'
}

/** What makes the prompt. Throws ApiError 400 for messages that do not fit together. */
export function toPrompt(body: CountBody, model: ServedModel): Omit<ChatRequest, 'sampling' | 'signal'> {
  const conversation = new Conversation()
  const system = textOf(body.system)
  if (system !== '') conversation.messages.push({ role: 'system', content: system })
  for (const [index, message] of body.messages.entries()) conversation.add(message, `messages[${index}]`)
  const { messages } = conversation
  const place = `messages[${body.messages.length - 1}].content`
  if (!messages.some(({ role }) => role !== 'system'))
    throw invalid(`${place}: expected some content, found none`, place)
  const last = messages.at(-1)!
  const continueLast = last.role === 'assistant'
  if (continueLast && (last.tool_calls !== undefined || last.content === '')) {
    throw invalid(`${place}: an answer that is to be continued is a text that is not empty`, place)
  }
  if (continueLast && /\s$/.test(String(last.content))) {
    throw invalid(`${place}: an answer that is to be continued cannot end with white space`, place)
  }
  const { tools = [], tool_choice: choice, thinking, output_config: output } = body
  const unknown = choice?.type === 'tool' && tools.every(({ name }) => name !== choice.name) ? choice.name : null
  if (unknown !== null) throw invalid(`tool_choice.name: no tool is called '${unknown}'`, 'tool_choice.name')
  const isSingle = choice !== undefined && choice.type !== 'none' && choice.disable_parallel_tool_use === true
  return {
    model,
    messages,
    ...(continueLast && { continueLast }),
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, input_schema: parameters, strict }) => ({
        name,
        description,
        parameters,
        strict: strict ?? undefined
      }))
    }),
    toolChoice: toChoice(choice, tools.length > 0),
    ...(isSingle && { parallelToolCalls: false }),
    ...(output?.format && {
      format: { type: 'json_schema' as const, schema: output.format.schema, strict: true }
    }),
    // as the model's template has it where the request says nothing
    ...(thinking !== undefined && { templateVariables: { enable_thinking: thinking.type !== 'disabled' } }),
    ...(thinking?.type === 'enabled' && { maxThoughtTokens: thinking.budget_tokens })
  }
}

/** The whole request. Throws ApiError 400 for messages that do not fit together. */
export function toChat(body: MessagesBody, model: ServedModel, signal: AbortSignal): ChatRequest {
  return {
    ...toPrompt(body, model),
    sampling: {
      temperature: body.temperature,
      topP: body.top_p,
      topK: body.top_k,
      stop: body.stop_sequences?.length === 0 ? undefined : body.stop_sequences,
      maxTokens: body.max_tokens
    },
    signal
  }
}
