// The ways in which templates write calls of tools: what begins them, and how they are read. Pure.

import { readJson } from '../answer/json.ts'
import type { TextReading } from '../answer/reader.ts'
import type { CallContext, CallFormat, CallLayout, FormatName } from './format.ts'
import { readGemmaCall } from './gemma.ts'
import { readJsonCall, readJsonCalls } from './json-call.ts'
import { readFunction, readInvoke, readKeysAndValues } from './markup.ts'
import { readArguments, readPythonCall, readPythonCalls } from './python.ts'

const longestName = 256

/** Calls as a list of JSON objects. */
const listLayout = (opening: string, key: string): CallLayout => ({
  begin: `${opening}[`,
  call: name => [`{"name": ${JSON.stringify(name)}, "${key}": `, '}'],
  between: ', ',
  end: ']'
})

/** Calls of Python with all arguments as one dictionary, which may be JSON. */
const pythonLayout = (begin: string, end: string, between: string): CallLayout => ({
  begin,
  call: name => [`${name}(**`, ')'],
  between,
  end
})

/** The end of calls: its text, or the end of the answer where the model left it out. */
function* readEnd({ reader }: CallContext, text: string): TextReading<boolean> {
  yield* reader.space()
  return (yield* reader.take(text)) || (yield* reader.peek()) === ''
}

const closings: Readonly<Record<string, string>> = {
  '<tool_call>': '</tool_call>',
  '<tool_calls>': '</tool_calls>',
  '<seed:tool_call>': '</seed:tool_call>',
  '<|tool_call|>': '<|/tool_call|>',
  '<function=': ''
}

/**
 * Hermes, Qwen 2.5 and 3, Granite and many others: JSON between tags; Qwen 3 Coder, Seed OSS and GLM: markup between them.
 * What stands between tells which.
 */
const tagged: CallFormat = {
  name: 'tagged',
  openings: Object.keys(closings),
  marks: Object.values(closings).filter(text => text !== ''),
  layout(sample) {
    const opening = Object.keys(closings).find(text => text !== '<function=' && sample.includes(text)) ?? '<tool_call>'
    if (opening === '<|tool_call|>') return listLayout(opening, 'arguments')
    return {
      begin: '',
      call: name => [`${opening}\n{"name": ${JSON.stringify(name)}, "arguments": `, `}\n${closings[opening]}`],
      between: '\n',
      end: ''
    }
  },
  *read(context, opening) {
    const { reader } = context
    if (opening === '<function=') {
      if (!(yield* readFunction(context))) return false
      // without the tag before it, the one after it may be there
      yield* reader.space()
      yield* reader.take('</tool_call>')
      return true
    }
    const close = closings[opening]!
    yield* reader.space()
    const next = yield* reader.peek()
    if (next === '[') {
      if (!(yield* readJsonCalls(context, { isMarked: true }))) return false
      // Granite 3 closes nothing
      return opening === '<|tool_call|>' || (yield* readEnd(context, close))
    }
    if (next === '{') {
      // several in one pair of tags: MiniMax M1
      do {
        if (!(yield* readJsonCall(context, { isMarked: true }))) return false
        yield* reader.space()
      } while (yield* reader.sees('{'))
      return yield* readEnd(context, close)
    }
    if (next === '<') {
      if (!(yield* reader.take('<function='))) return false
      return (yield* readFunction(context)) && (yield* readEnd(context, close))
    }
    return (yield* readKeysAndValues(context)) && (yield* readEnd(context, close))
  }
}

/** Mistral: `[TOOL_CALLS][{"name": …, "arguments": …}]`, and since 2025 `[TOOL_CALLS]f[CALL_ID]…[ARGS]{…}` or `[TOOL_CALLS]f{…}`. */
const mistral: CallFormat = {
  name: 'mistral',
  openings: ['[TOOL_CALLS]'],
  marks: ['[ARGS]', '[CALL_ID]'],
  layout(sample) {
    if (/\[TOOL_CALLS\]\s*\[/.test(sample)) return listLayout('[TOOL_CALLS]', 'arguments')
    return { begin: '', call: name => [`[TOOL_CALLS]${name}[ARGS]`, ''], between: '', end: '' }
  },
  *read(context) {
    const { reader, sink } = context
    yield* reader.space()
    const next = yield* reader.peek()
    if (next === '[') return yield* readJsonCalls(context, { isMarked: true })
    if (next === '{') return yield* readJsonCall(context, { isMarked: true })
    const name = (yield* reader.while(/[^[\]{}\s"]/, longestName)).trim()
    if (name === '') return false
    if (yield* reader.take('[CALL_ID]')) yield* reader.while(/\w/, longestName)
    yield* reader.take('[ARGS]')
    yield* reader.space()
    if (!(yield* reader.sees('{'))) return false
    sink.call(name)
    if (!(yield* readJson(reader, text => sink.give(text)))) return false
    sink.done()
    return true
  }
}

const isTool =
  ({ tools }: CallContext) =>
  (name: string): boolean =>
    tools.has(name)
const isName = (): boolean => true

/** Llama 3: an answer that is `{"name": …, "parameters": …}` and nothing else, or after `<|python_tag|>`. */
const llama: CallFormat = {
  name: 'llama',
  openings: ['<|python_tag|>'],
  bare: '{',
  marks: [],
  layout: () => ({
    begin: '',
    call: name => [`{"name": ${JSON.stringify(name)}, "parameters": `, '}'],
    between: null,
    end: ''
  }),
  *read(context, opening) {
    const { reader, sink } = context
    yield* reader.space()
    if (opening !== '' && !(yield* reader.sees('{'))) {
      if (yield* reader.sees('[')) return yield* readPythonCalls(context, isTool(context))
      // built-in tools: brave_search.call(query="…")
      const name = yield* reader.while(/\w/, longestName)
      if (name === '' || !(yield* reader.take('.call'))) return false
      sink.call(name)
      return yield* readArguments(context)
    }
    for (;;) {
      if (!(yield* readJsonCall(context, { isMarked: false }))) return false
      yield* reader.space()
      if (yield* reader.take(';')) yield* reader.space()
      if (!(yield* reader.sees('{'))) return true
    }
  }
}

/** Llama 3.2 and 4 with Python's calls: an answer that is `[f(city="Rome")]` and nothing else. */
const pythonic: CallFormat = {
  name: 'pythonic',
  openings: ['<|python_start|>', '<|python_tag|>'],
  bare: '[',
  marks: ['<|python_end|>'],
  layout: () => pythonLayout('[', ']', ', '),
  *read(context, opening) {
    const { reader } = context
    yield* reader.space()
    if (!(yield* readPythonCalls(context, isTool(context)))) return false
    return opening !== '<|python_start|>' || (yield* readEnd(context, '<|python_end|>'))
  }
}

/** LFM 2: `<|tool_call_start|>[f(city="Rome")]<|tool_call_end|>`. */
const lfm: CallFormat = {
  name: 'lfm',
  openings: ['<|tool_call_start|>'],
  marks: ['<|tool_call_end|>'],
  layout: () => pythonLayout('<|tool_call_start|>[', ']<|tool_call_end|>', ', '),
  *read(context) {
    yield* context.reader.space()
    return (yield* readPythonCalls(context, isName)) && (yield* readEnd(context, '<|tool_call_end|>'))
  }
}

/** Gemma 3: a block of code, whose lines are calls, maybe within `print(…)`. */
const gemmaCode: CallFormat = {
  name: 'gemma-code',
  openings: ['```tool_code'],
  marks: [],
  layout: () => pythonLayout('```tool_code\n', '\n```', '\n'),
  *read(context) {
    const { reader } = context
    for (;;) {
      yield* reader.space()
      if (yield* reader.take('```')) return true
      const prints = yield* reader.take('print(')
      if (!(yield* readPythonCall(context, isTool(context)))) return false
      if (prints && !(yield* reader.take(')'))) return false
      yield* reader.space()
      if ((yield* reader.peek()) === '') return true
    }
  }
}

const gemmaTags: Readonly<Record<string, readonly [close: string, quote: string]>> = {
  '<|tool_call>': ['<tool_call|>', '<|"|>'],
  '<start_function_call>': ['<end_function_call>', '<escape>']
}

/** Gemma 4 and FunctionGemma. */
const gemma: CallFormat = {
  name: 'gemma',
  openings: Object.keys(gemmaTags),
  marks: Object.values(gemmaTags).flat(),
  layout(sample) {
    const opening = Object.keys(gemmaTags).find(text => sample.includes(text)) ?? '<|tool_call>'
    return { begin: '', call: name => [`${opening}call:${name}`, gemmaTags[opening]![0]], between: '', end: '' }
  },
  *read(context, opening) {
    const [close, quote] = gemmaTags[opening]!
    return (yield* readGemmaCall(context, quote)) && (yield* readEnd(context, close))
  }
}

/** DeepSeek V3 (`function<｜tool▁sep｜>f` and a block of JSON) and V3.1 (`f<｜tool▁sep｜>{…}`). */
const deepseek: CallFormat = {
  name: 'deepseek',
  openings: ['<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>'],
  marks: ['<｜tool▁sep｜>', '<｜tool▁call▁end｜>', '<｜tool▁calls▁end｜>'],
  layout(sample) {
    const isBlock = sample.includes('```json')
    return {
      begin: '<｜tool▁calls▁begin｜>',
      call: name =>
        isBlock
          ? [`<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n`, '\n```<｜tool▁call▁end｜>']
          : [`<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>`, '<｜tool▁call▁end｜>'],
      between: isBlock ? '\n' : '',
      end: '<｜tool▁calls▁end｜>'
    }
  },
  *read(context, opening) {
    const { reader, sink } = context
    const begin = '<｜tool▁call▁begin｜>'
    let isFirst = opening === begin
    for (;;) {
      yield* reader.space()
      if (!isFirst && !(yield* reader.take(begin))) return yield* readEnd(context, '<｜tool▁calls▁end｜>')
      isFirst = false
      yield* reader.space()
      const head = (yield* reader.while(/[^<\n{]/, longestName)).trim()
      if (head === '' || !(yield* reader.take('<｜tool▁sep｜>'))) return false
      const isBlock = head === 'function' && !(yield* reader.sees('{'))
      const name = isBlock ? (yield* reader.while(/[^\n<{`]/, longestName)).trim() : head
      yield* reader.space()
      const isFenced = yield* reader.take('```json')
      yield* reader.space()
      if (name === '' || !(yield* reader.sees('{'))) return false
      sink.call(name)
      if (!(yield* readJson(reader, text => sink.give(text)))) return false
      yield* reader.space()
      if (isFenced && !(yield* reader.take('```'))) return false
      sink.done()
      yield* reader.space()
      if (!(yield* reader.take('<｜tool▁call▁end｜>')) && (yield* reader.peek()) !== '') return false
    }
  }
}

const invokeTags: Readonly<
  Record<string, { readonly invoke: string; readonly parameter: string; readonly around: string }>
> = {
  '<function ': { invoke: 'function', parameter: 'param', around: '' },
  '<minimax:tool_call>': { invoke: 'invoke', parameter: 'parameter', around: '</minimax:tool_call>' },
  '<atem:function_calls>': { invoke: 'atem:invoke', parameter: 'atem:parameter', around: '</atem:function_calls>' },
  '<｜DSML｜function_calls>': {
    invoke: '｜DSML｜invoke',
    parameter: '｜DSML｜parameter',
    around: '</｜DSML｜function_calls>'
  }
}

/** MiniCPM 5, MiniMax M2 and others: tags with names as attributes. */
const invoke: CallFormat = {
  name: 'invoke',
  openings: Object.keys(invokeTags),
  marks: Object.values(invokeTags).flatMap(({ around }) => (around === '' ? [] : [around])),
  layout(sample) {
    const opening = Object.keys(invokeTags).find(text => sample.includes(text)) ?? '<function '
    const { invoke: tag, around } = invokeTags[opening]!
    return {
      begin: around === '' ? '' : `${opening}\n`,
      call: name => [`<${tag} name="${name}">`, `</${tag}>`],
      between: '\n',
      end: around === '' ? '' : `\n${around}`
    }
  },
  *read(context, opening) {
    const { reader } = context
    const { around, ...tags } = invokeTags[opening]!
    if (around === '') return yield* readInvoke(context, tags)
    for (;;) {
      yield* reader.space()
      if (!(yield* reader.take(`<${tags.invoke}`))) return yield* readEnd(context, around)
      if (!(yield* readInvoke(context, tags))) return false
    }
  }
}

/** In the order in which a template's own is looked for. */
export const callFormats: Readonly<Record<FormatName, CallFormat>> = {
  tagged,
  mistral,
  deepseek,
  gemma,
  lfm,
  invoke,
  'gemma-code': gemmaCode,
  llama,
  pythonic
}
