// swarm generate: continues a text through the swarm, printing as the tokens come.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import {
  AutoDistributedModelForCausalLM,
  type Codec,
  describeAudits,
  openLocalDraft,
  PeftModel,
  renderChat,
  SwarmError,
  type Tokenizer
} from '../../client/index.ts'
import { withResource } from '../../common/resource.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { type AccessFlags, addAccessOptions, clientAccess } from '../access.ts'
import { expectArguments } from '../arguments.ts'
import { fromPeersOption, type HubFlags, hubOptions, offlineOption, peersSettings, revisionOption } from '../hub.ts'
import type { LogLevel } from '../log.ts'
import { addLogOptions } from '../log-options.ts'
import {
  auditOption,
  codecOption,
  homeFolder,
  parseNumber,
  parsePositive,
  parseWhole,
  requireDtypeOption
} from '../options.ts'
import { showProgress } from '../progress.ts'
import { createLogger, interruptSignal, screen } from '../terminal.ts'
import { describeTraffic } from '../traffic.ts'

interface GenerateFlags extends AccessFlags, HubFlags {
  codec?: Codec
  requireDtype?: Precision
  adapter?: string
  maxNewTokens: number
  temperature?: number
  topK?: number
  topP?: number
  repetitionPenalty?: number
  generationConfig: boolean
  seed?: number
  speculate?: number
  draft?: string
  numBeams?: number
  lengthPenalty?: number
  stop?: string[]
  chat?: boolean
  system?: string
  chatTemplate?: string
  stats?: boolean
  audit?: number
  logLevel: LogLevel
}

export function generateCommand(): Command {
  return addLogOptions(expectArguments(addAccessOptions(new Command('generate')), () => 2))
    .description('continue a text through the swarm')
    .argument(
      '<model>',
      'folder, GGUF file or hub name of the checkpoint; only embeddings, last norm and head are read'
    )
    .argument('<prompt>', 'the text to continue')
    .addOption(codecOption('fp16'))
    .addOption(requireDtypeOption())
    .addOption(revisionOption())
    .addOption(offlineOption())
    .addOption(fromPeersOption())
    .option('-a, --adapter <folder>', 'adapter to use, as swarm train or PEFT saved it')
    .option('--max-new-tokens <count>', 'most tokens to generate', parsePositive, 64)
    .option('--temperature <t>', 'sample at this temperature (default: greedy)', parseNumber)
    .option('--top-k <count>', 'sample among the so many likeliest', parsePositive)
    .option('--top-p <share>', 'sample among the likeliest that together have this probability', parseNumber)
    .option('--repetition-penalty <factor>', 'above 1: repeat less', parseNumber)
    .option('--seed <number>', 'the same seed gives the same sample', parseWhole)
    .option(
      '--speculate <count>',
      'guess so many tokens from what the text has said before, check them in one pass',
      parsePositive
    )
    .option('--draft <model>', 'folder or hub name of a small model with the same tokens, which guesses instead')
    .option('--num-beams <count>', 'beam search; the text comes at the end', parsePositive)
    .option('--length-penalty <power>', 'of beam search: above 0 longer texts gain', parseNumber)
    .option('--no-generation-config', "ignore the model's generation_config.json, except its special tokens")
    .option('--stop <text...>', 'end where one of these appears')
    .option('--chat', "the prompt is a user's message to a chat model: written by its chat template, answered once")
    .option('--system <text>', 'what a chat model is told before; implies --chat')
    .option('--chat-template <file>', "a Jinja template instead of the model's own; implies --chat")
    .addOption(auditOption())
    .option('--stats', 'print tokens per second, and bytes sent and received, to stderr')
    .action(generate)
}

/** A file of the user, which may be a pipe. Throws NOT_FOUND. */
async function readTemplate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    throw new SwarmError('NOT_FOUND', `--chat-template ${file}: no such file`, { cause })
  }
}

/** Token ids of the message and of the beginning of its answer. Throws INVALID_ARGUMENT for a model without a template. */
async function chatPrompt(tokenizer: Tokenizer, message: string, flags: GenerateFlags): Promise<number[]> {
  const { system, chatTemplate: file } = flags
  const source = file === undefined ? undefined : await readTemplate(file)
  const own = tokenizer.chatTemplate
  const template = source === undefined ? own : { specialTokens: tokenizer.specialTokens, source, file: file! }
  if (template === null) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      'this model has no chat template (a base model?): leave --chat out, or give one with --chat-template <file>'
    )
  }
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: message }
  ]
  return tokenizer.encode(renderChat(template, messages, { addGenerationPrompt: true }), { addSpecialTokens: false })
}

async function generate(path: string, prompt: string, flags: GenerateFlags): Promise<void> {
  const interrupt = interruptSignal()
  await withResource(
    await AutoDistributedModelForCausalLM.fromPretrained(path, {
      hub: hubOptions(flags),
      fromPeers: flags.fromPeers ? peersSettings() : undefined,
      ...(await clientAccess(flags)),
      codec: flags.codec,
      requireDtype: flags.requireDtype,
      audit: flags.audit === undefined ? undefined : { probability: flags.audit },
      logger: createLogger(flags.logLevel),
      onProgress: showProgress(),
      signal: interrupt.signal
    }),
    async base => {
      const model = flags.adapter === undefined ? base : await PeftModel.fromPretrained(base, resolve(flags.adapter))
      const { temperature, topK, topP } = flags
      const draft =
        flags.draft === undefined
          ? null
          : await openLocalDraft(flags.draft, {
              hub: hubOptions(flags),
              cacheDir: join(homeFolder(), 'cache'),
              onProgress: showProgress(),
              signal: interrupt.signal
            })
      const started = performance.now()
      const before = { ...model.network.traffic }
      let first = before
      let tokens = 0
      const guesses = { proposed: 0, accepted: 0 }
      const chats = flags.chat || flags.system !== undefined || flags.chatTemplate !== undefined
      const input = chats ? await chatPrompt(model.tokenizer, prompt, flags) : prompt
      const answer = screen.openAnswer()
      for await (const piece of model.generateStream(input, {
        useGenerationConfig: flags.generationConfig,
        maxNewTokens: flags.maxNewTokens,
        doSample: temperature !== undefined || topK !== undefined || topP !== undefined,
        temperature,
        topK,
        topP,
        repetitionPenalty: flags.repetitionPenalty,
        seed: flags.seed,
        stopStrings: flags.stop,
        ...(draft === null
          ? { promptLookupNumTokens: flags.speculate }
          : { draft, numAssistantTokens: flags.speculate }),
        numBeams: flags.numBeams,
        lengthPenalty: flags.lengthPenalty,
        onSpeculation: pass => {
          guesses.proposed += pass.proposed
          guesses.accepted += pass.accepted
        },
        signal: interrupt.signal
      })) {
        answer.write(piece.text)
        tokens += 1
        if (tokens === 1) first = { ...model.network.traffic }
      }
      answer.end()
      if (flags.stats) {
        const seconds = (performance.now() - started) / 1000
        screen.error(`${tokens} tokens, ${(tokens / seconds).toFixed(1)} tokens/s`)
        screen.error(describeTraffic({ before, first, end: model.network.traffic, tokens }))
        if (draft !== null || flags.speculate !== undefined)
          screen.error(`${guesses.accepted} of ${guesses.proposed} guesses accepted`)
      }
      await draft?.close()
      const audits = await model.audits()
      if (audits !== null) screen.error(describeAudits(audits).join('\n'))
      interrupt.release()
    }
  )
}
