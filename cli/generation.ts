// What `swarm generate` and `swarm chat` have in common: the options of a generation, the model that they open, and what the
// flags mean for the SDK.
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  type Codec,
  type GenerationOptions,
  type LanguageModel,
  type LocalDraft,
  openLanguageModel,
  openLocalDraft,
  PeftModel,
  type PeftModelForCausalLM,
  type PeftModelForSeq2SeqLM,
  SwarmError,
  type Tokenizer
} from '../client/index.ts'
import { withResource } from '../common/resource.ts'
import type { Precision } from '../model/quantize/precision.ts'
import { UsageError } from './errors/usage.ts'
import { type AccessFlags, clientAccess } from './options/access.ts'
import {
  fromPeersOption,
  type HubFlags,
  hubOptions,
  offlineOption,
  peersSettings,
  revisionOption
} from './options/hub.ts'
import {
  auditOption,
  codecOption,
  homeFolder,
  parseNumber,
  parsePositive,
  parseShare,
  parseWhole,
  requireDtypeOption
} from './options/options.ts'
import type { LogLevel } from './terminal/log.ts'
import { showProgress } from './terminal/progress.ts'
import { createLogger } from './terminal/terminal.ts'

/** How a model without an adapter is opened. */
export interface BaseModelFlags extends AccessFlags, HubFlags {
  codec?: Codec
  requireDtype?: Precision
  audit?: number
  logLevel: LogLevel
}

export interface ModelFlags extends BaseModelFlags {
  adapter?: string
  draft?: string
}

export interface GenerationFlags {
  maxNewTokens: number
  temperature?: number
  topK?: number
  topP?: number
  repetitionPenalty?: number
  seed?: number
  speculate?: number
  numBeams?: number
  lengthPenalty?: number
  stop?: string[]
  generationConfig: boolean
}

/** most tokens that one pass checks */
const maxGuesses = 64

function parseFrom(least: number, text: string): number {
  const value = parseNumber(text)
  if (value < least) throw new InvalidArgumentError(`expected a number of at least ${least}`)
  return value
}

function parseAboveZero(text: string): number {
  const value = parseNumber(text)
  if (value <= 0) throw new InvalidArgumentError('expected a number above 0')
  return value
}

function parseGuesses(text: string): number {
  const value = parsePositive(text)
  if (value > maxGuesses) throw new InvalidArgumentError(`expected 1 to ${maxGuesses}`)
  return value
}

/** Several texts, each with at least one character. */
function collectStops(text: string, before: readonly string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('expected a text, found none: it would stop at once')
  return [...before, text]
}

/** Adds the options that say which model is opened and how: --adapter, --codec, --require-dtype, --audit and those of the hub. */
export function addModelOptions(command: Command): Command {
  command
    .optionsGroup('Model:')
    .option('-a, --adapter <folder>', 'adapter to use, as swarm train or PEFT saved it (default: none)')
  return addBaseModelOptions(command)
}

/** The same without --adapter. */
export function addBaseModelOptions(command: Command): Command {
  return command
    .optionsGroup('Model:')
    .addOption(fromPeersOption())
    .addOption(revisionOption())
    .addOption(offlineOption())
    .addOption(requireDtypeOption())
    .addOption(codecOption('fp16'))
    .addOption(auditOption())
}

export const speculateOption = (): Option =>
  new Option('--speculate <count>', 'speculative decoding: propose N tokens by prompt lookup (default: off)').argParser(
    parseGuesses
  )

export const draftOption = (): Option =>
  new Option('--draft <model>', 'speculative decoding with this small draft model, same tokenizer (default: off)')

/**
 * Adds the options of a generation.
 * @param init.sampling what happens without --temperature, --top-k and --top-p
 */
export function addGenerationOptions(
  command: Command,
  { maxNewTokens, sampling }: { maxNewTokens: number; sampling: string }
): Command {
  return command
    .optionsGroup('Generating:')
    .option('--max-new-tokens <count>', 'stop after this many tokens', parsePositive, maxNewTokens)
    .option('--temperature <t>', `sampling temperature; 0 is greedy (default: ${sampling})`, text => parseFrom(0, text))
    .option('--top-k <count>', 'sample from the K most likely tokens; 0: all (default: 50 when sampling)', parseWhole)
    .option(
      '--top-p <probability>',
      'nucleus sampling: keep the smallest set of tokens whose probability reaches p (default: 1)',
      parseShare
    )
    .option('--repetition-penalty <factor>', 'above 1: repeat less (default: 1)', parseAboveZero)
    .option('--seed <number>', 'seed of the sampling (default: a new one each time)', parseWhole)
    .addOption(
      new Option('--stop <text...>', 'end where one of these texts appears (default: none)').argParser(collectStops)
    )
    .option('--no-generation-config', "ignore the model's generation_config.json, except its special tokens")
    .option(
      '--num-beams <count>',
      'beam search with this many beams; prints at the end (default: 1, off)',
      parsePositive
    )
    .option('--length-penalty <power>', 'beam search: above 0 favours longer texts (default: 1)', parseNumber)
    .addOption(speculateOption())
    .addOption(draftOption())
}

/** The flags as the SDK's options. Throws UsageError for flags that exclude each other. */
export function toGenerationOptions(
  flags: GenerationFlags & { draft?: string },
  { draft, greedy }: { draft: LocalDraft | null; greedy: boolean }
): GenerationOptions {
  const { temperature, topK, topP, numBeams = 1, speculate } = flags
  const sampling = Object.entries({ '--temperature': temperature, '--top-k': topK, '--top-p': topP })
  const samples = temperature !== 0 && sampling.some(([, value]) => value !== undefined)
  const speculates = flags.draft !== undefined ? '--draft' : speculate !== undefined ? '--speculate' : undefined
  if (numBeams > 1 && (samples || speculates !== undefined)) {
    const other = speculates ?? sampling.find(([, value]) => value !== undefined)![0]
    throw new UsageError(`--num-beams and ${other}: beam search neither samples nor speculates: give one of them`)
  }
  return {
    maxNewTokens: flags.maxNewTokens,
    doSample: samples ? true : greedy || temperature === 0 ? false : undefined,
    ...(samples && { temperature, topK, topP }),
    repetitionPenalty: flags.repetitionPenalty,
    seed: flags.seed,
    stopStrings: flags.stop,
    ...(draft === null ? { promptLookupNumTokens: speculate } : { draft, numAssistantTokens: speculate }),
    numBeams: flags.numBeams,
    lengthPenalty: flags.lengthPenalty,
    useGenerationConfig: flags.generationConfig
  }
}

export interface OpenedModel {
  readonly model: LanguageModel | PeftModelForCausalLM | PeftModelForSeq2SeqLM
  readonly draft: LocalDraft | null
}

/** How the flags say that a model is opened, but for the swarm. */
export function openingOptions(flags: BaseModelFlags, signal: AbortSignal) {
  return {
    hub: hubOptions(flags),
    fromPeers: flags.fromPeers ? peersSettings() : undefined,
    codec: flags.codec,
    requireDtype: flags.requireDtype,
    audit: flags.audit === undefined ? undefined : { probability: flags.audit },
    logger: createLogger(flags.logLevel),
    onProgress: showProgress(),
    signal
  }
}

/** Opens the model that the flags name, without adapter and draft. */
async function openBaseModel(path: string, flags: BaseModelFlags, signal: AbortSignal): Promise<LanguageModel> {
  return await openLanguageModel(path, { ...openingOptions(flags, signal), ...(await clientAccess(flags)) })
}

/** Opens the small model that proposes tokens; null where the flags name none. */
export async function openDraft(
  flags: Pick<ModelFlags, 'draft' | keyof HubFlags>,
  signal: AbortSignal
): Promise<LocalDraft | null> {
  if (flags.draft === undefined) return null
  const cacheDir = join(homeFolder(), 'cache')
  return await openLocalDraft(flags.draft, { hub: hubOptions(flags), cacheDir, onProgress: showProgress(), signal })
}

/** The model with a saved adapter over it. */
async function overAdapter(base: LanguageModel, folder: string): Promise<PeftModelForCausalLM | PeftModelForSeq2SeqLM> {
  return base.task === 'CAUSAL_LM'
    ? await PeftModel.fromPretrained(base, folder)
    : await PeftModel.fromPretrained(base, folder)
}

/** A draft continues one text, which an encoder-decoder model has two of. Throws UNSUPPORTED. */
function refuseDraft({ task, config }: LanguageModel, { draft }: Pick<ModelFlags, 'draft'>): void {
  if (draft === undefined || task === 'CAUSAL_LM') return
  throw new SwarmError(
    'UNSUPPORTED',
    `--draft: ${config.modelType} is an encoder-decoder model, and a draft model reads only what it has written (--speculate <count> looks in the input too)`
  )
}

/** The model for conversations. Throws UNSUPPORTED for one with an encoder, which answers single inputs. */
export function chatModel(model: OpenedModel['model']): Exclude<OpenedModel['model'], { task: 'SEQ_2_SEQ_LM' }> {
  if (model.task === 'CAUSAL_LM') return model
  throw new SwarmError(
    'UNSUPPORTED',
    `${model.config.modelType} is an encoder-decoder model: it answers one input and has no conversation (use swarm generate without --chat)`
  )
}

/** Opens the model that the flags name, with adapter and draft, for as long as `use` runs. */
export async function withModel(
  path: string,
  flags: ModelFlags,
  signal: AbortSignal,
  use: (opened: OpenedModel) => Promise<void>
): Promise<void> {
  await withResource(await openBaseModel(path, flags, signal), async base => {
    const model = flags.adapter === undefined ? base : await overAdapter(base, resolve(flags.adapter))
    refuseDraft(base, flags)
    const draft = await openDraft(flags, signal)
    if (draft === null) return await use({ model, draft })
    try {
      await use({ model, draft })
    } finally {
      await draft.close()
    }
  })
}

/** A file of the user, which may be a pipe. Throws NOT_FOUND. */
export async function readTemplate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    throw new SwarmError('NOT_FOUND', `--chat-template ${file}: no such file`, { cause })
  }
}

/**
 * The template of a file, else the model's own. Throws INVALID_ARGUMENT for a model without one.
 * @param remedy what a person can do then, beside giving a file
 */
export async function chatTemplateFor(tokenizer: Tokenizer, file: string | undefined, remedy: string) {
  if (file !== undefined) return { specialTokens: tokenizer.specialTokens, source: await readTemplate(file), file }
  if (tokenizer.chatTemplate !== null) return tokenizer.chatTemplate
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `this model has no chat template (a base model?): ${remedy}, or pass one with --chat-template <file>`
  )
}
