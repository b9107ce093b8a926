// swarm generate: continues a text through the swarm and streams the tokens.

import { Command } from 'commander'
import { describeAudits, encodeChat, renderChat, type StreamedTokens, type Tokenizer } from '../../client/index.ts'
import { plural } from '../../common/plural.ts'
import {
  addGenerationOptions,
  addModelOptions,
  chatModel,
  chatTemplateFor,
  type GenerationFlags,
  type ModelFlags,
  type OpenedModel,
  toGenerationOptions,
  withModel
} from '../generation.ts'
import { addAccessOptions } from '../options/access.ts'
import { expectArguments } from '../options/arguments.ts'
import { jsonOption } from '../options/options.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { openAnswer } from '../terminal/progress.ts'
import { readPrompt } from '../terminal/prompt.ts'
import { interruptSignal, print, screen } from '../terminal/terminal.ts'
import { describeTraffic } from '../views/traffic.ts'

interface GenerateFlags extends ModelFlags, GenerationFlags {
  chat?: boolean
  system?: string
  chatTemplate?: string
  specialTokens?: boolean
  stats?: boolean
  json?: boolean
}

export function generateCommand(): Command {
  const command = new Command('generate')
    .description('continue a text, or answer one with an encoder-decoder model, through the swarm')
    .argument(
      '<model>',
      'folder, GGUF file or hub name of the checkpoint; only embeddings, last norm and head are read'
    )
    .argument('[prompt]', 'the text to continue or to answer; - or none: standard input')
    .action(generate)
  addGenerationOptions(command, { maxNewTokens: 64, sampling: 'greedy' })
    .optionsGroup('Chat:')
    .option('--chat', "write the prompt as a user's message with the model's chat template")
    .option('--system <text>', 'system message; implies --chat (default: none)')
    .option('--chat-template <file>', "Jinja template; implies --chat (default: the model's own)")
    .optionsGroup('Prompt:')
    .option('--special-tokens', 'take control tokens in the prompt, as <|im_end|>, as tokens (default: as text)')
    .optionsGroup('Output:')
    .option('--stats', 'print tokens per second and bytes sent and received to stderr')
    .addOption(jsonOption())
  addLogOptions(command)
  addAccessOptions(addModelOptions(command))
  return expectArguments(command, () => 2).addHelpText(
    'after',
    `
Examples:
  $ swarm generate models/tiny "Call me" --max-new-tokens 40
  $ git diff | swarm generate Qwen/Qwen2.5-0.5B-Instruct --system "Describe this change." -
  $ swarm generate google/flan-t5-small "translate English to German: How old are you?" --num-beams 4
  $ swarm generate models/tiny -- --a-prompt-that-looks-like-an-option`
  )
}

/** Token ids of the message and of the generation prompt. */
async function chatPrompt(tokenizer: Tokenizer, message: string, flags: GenerateFlags): Promise<number[]> {
  const template = await chatTemplateFor(tokenizer, flags.chatTemplate, 'leave --chat out')
  const messages = [
    ...(flags.system === undefined ? [] : [{ role: 'system', content: flags.system }]),
    { role: 'user', content: message }
  ]
  const options = { addGenerationPrompt: true }
  if (!flags.specialTokens) return encodeChat(tokenizer, template, messages, options).ids
  return tokenizer.encode(renderChat(template, messages, options), { addSpecialTokens: false })
}

/** The prompt as the model gets it: an empty one is the SDK's to refuse. */
function textPrompt(tokenizer: Tokenizer, prompt: string, { specialTokens }: GenerateFlags): string | number[] {
  if (specialTokens || prompt === '') return prompt
  return tokenizer.encode(prompt, { plainText: true })
}

async function generate(path: string, argument: string | undefined, flags: GenerateFlags): Promise<void> {
  const interrupt = interruptSignal()
  const { signal } = interrupt
  toGenerationOptions(flags, { draft: null, greedy: true }) // what contradicts itself is said before anything is opened
  const prompt = await readPrompt(argument, { signal })
  await withModel(path, flags, signal, async opened => {
    await answer(prompt, opened, flags, signal)
    const audits = await opened.model.audits()
    if (audits !== null) screen.error(describeAudits(audits).join('\n'))
    interrupt.release()
  })
}

/** Generates and prints one continuation. */
async function answer(
  prompt: string,
  { model, draft }: OpenedModel,
  flags: GenerateFlags,
  signal: AbortSignal
): Promise<void> {
  const chats = flags.chat || flags.system !== undefined || flags.chatTemplate !== undefined
  if (chats) chatModel(model)
  const input = chats ? await chatPrompt(model.tokenizer, prompt, flags) : textPrompt(model.tokenizer, prompt, flags)
  const guesses = { proposed: 0, accepted: 0 }
  const started = performance.now()
  const before = { ...model.network.traffic }
  let first = before
  let last: StreamedTokens | undefined
  let text = ''
  let tokens = 0
  const answer = flags.json ? undefined : openAnswer('waiting for the first token')
  for await (const step of model.generateStream(input, {
    ...toGenerationOptions(flags, { draft, greedy: true }),
    onSpeculation: pass => {
      guesses.proposed += pass.proposed
      guesses.accepted += pass.accepted
    },
    signal
  })) {
    answer?.write(step.text)
    text += step.text
    last = step
    tokens += 1
    if (tokens === 1) first = { ...model.network.traffic }
  }
  answer?.end()
  const seconds = (performance.now() - started) / 1000
  if (flags.json) {
    const promptTokens = typeof input === 'string' ? model.tokenizer.encode(input).length : input.length
    const finishReason = last?.finished[0] ?? null
    print(JSON.stringify({ text, finishReason, promptTokens, newTokens: tokens, seconds: Number(seconds.toFixed(3)) }))
  }
  if (!flags.stats) return
  screen.error(`${plural(tokens, 'token')}, ${(tokens / seconds).toFixed(1)} tokens/s`)
  screen.error(describeTraffic({ before, first, end: model.network.traffic, tokens }))
  if (draft !== null || flags.speculate !== undefined) {
    screen.error(`${guesses.accepted} of ${guesses.proposed} guesses accepted`)
  }
}
