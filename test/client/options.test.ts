// Every public function that takes options refuses one that it does not know and names the nearest. The test walks the exports, so that a
// new function comes with a row here: a call with a misspelt option, or a place among those that take none.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as sdk from '../../client/index.ts'
import { checkOptions, checkSpelling } from '../../common/options.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { createNetwork } from '../../network/node.ts'
import { createServer } from '../../server/server.ts'
import { collectAll, referencePath } from '../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../testing/swarm.ts'

/** Functions and methods whose parameters are no options. */
const takeNone = new Set([
  'parseJson',
  'logprobsOf',
  'float32',
  'int64',
  'tensor',
  'describeAudits',
  'applyUpdates',
  'clipGradNorm',
  'addGradient',
  'clearGradients',
  'parameter',
  'checkpointsOf',
  'collate',
  'parseDataset',
  'plotRun',
  'readConfigYaml',
  'readMetrics',
  'summarizeData',
  'toPeftConfig',
  'toTrainOptions',
  'writeConfigYaml',
  'SimilarityModel.savePretrained',
  // measures of predictions that are there
  ...[
    'answerScores',
    'areEntityTags',
    'bleuScore',
    'chrfScore',
    'classificationReport',
    'confusionMatrix',
    'entitiesOf'
  ],
  ...['entityReport', 'multiLabelReport', 'normalizeAnswer', 'pearson', 'regressionReport', 'rougeOf', 'rougeScores'],
  'tokenize13a'
])

/** The same of methods, whatever their class. */
const methodsTakeNone = new Set([
  ...['disableAdapter', 'train', 'eval', 'close', 'zeroGrad', 'parameters', 'afterStep', 'traffic', 'audits', 'unload'],
  ...['exportState', 'importState', 'fingerprint'],
  // for subclasses and for getPeftModel, whose options are checked there
  ...['release', 'planOf', 'adapt', 'actingAs', 'groupsOf', 'targetOf', 'classes'],
  ...['deleteAdapter', 'sentenceFolder', 'sentenceSizes', 'similarity']
])

type Bogus = Record<string, never>

/** The misspelt option of each call, and the one that it must name. */
const calls: Record<string, readonly [wrong: string, right: string, call: (bogus: Bogus) => unknown]> = {}

const path = referencePath('grouped')
const ids = [[5, 6, 7]]
const lora = { peftType: 'LORA', r: 2, targetModules: ['q_proj'] } as const
let swarm: TestSwarm
let base: sdk.DistributedModelForCausalLM
let tuned: sdk.PeftModelForCausalLM
let classifier: sdk.DistributedModelForSequenceClassification
let writer: sdk.DistributedModelForSeq2SeqLM
let features: InstanceType<typeof sdk.DistributedModel>
let masked: sdk.DistributedModelForMaskedLM
let questions: sdk.DistributedModelForQuestionAnswering

before(async () => {
  swarm = await startSwarm([[0, 4]], { path })
  const connection = { initialPeers: swarm.join }
  base = await swarm.connect()
  tuned = await sdk.getPeftModel(base, lora)
  const { AutoDistributedModelForSequenceClassification: sequences, AutoDistributedModel: plain } = sdk
  classifier = await sequences.fromPretrained(path, { ...connection, numLabels: 3 })
  features = await plain.fromPretrained(path, connection)
  const { AutoDistributedModelForSeq2SeqLM: writers } = sdk
  writer = await writers.fromPretrained(referencePath('families', 't5'), connection)
  const { AutoDistributedModelForMaskedLM: maskeds, AutoDistributedModelForQuestionAnswering: readers } = sdk
  masked = await maskeds.fromPretrained(referencePath('families', 'bert'), connection)
  questions = await readers.fromPretrained(referencePath('families', 'bert'), connection)
  const similar = new sdk.SimilarityModel(features, { loss: 'cosine' })
  const tokenizer = { encode: () => [1], decode: () => '' } as never
  const examples = [{ ids: [5, 6, 7], labels: [-100, 6, 7] }]
  const settings = { learningRate: 1, padTokenId: 0 }
  const template = { source: '', specialTokens: {}, file: '' }
  const config = sdk.parseTrainConfig({ model: path, train_file: 'none', output_dir: '/nowhere' })
  const schedule = { learningRate: 1, warmupSteps: 0, totalSteps: 1 }
  const sources = { train: 'none' }
  const context = { tokenizer, maxPositions: 9 }
  const hidden = sdk.float32([1, 1, base.config.hiddenSize], Array(base.config.hiddenSize).fill(1))
  Object.assign(calls, {
    renderChat: ['add_generation_prompt', 'addGenerationPrompt', bogus => sdk.renderChat(template, [], bogus)],
    encodeChat: [
      'add_generation_prompt',
      'addGenerationPrompt',
      bogus => sdk.encodeChat(tokenizer, template, [], bogus)
    ],
    decodeAfter: ['skip_special_tokens', 'skipSpecialTokens', bogus => sdk.decodeAfter(tokenizer, [], [], bogus)],
    renderAssistantTurns: ['variabels', 'variables', bogus => sdk.renderAssistantTurns(template, [], bogus)],
    joinSwarm: ['initial_peers', 'initialPeers', bogus => sdk.joinSwarm(bogus)],
    'Swarm.survey': ['round_trips', 'roundTrips', bogus => new sdk.Swarm(base.network).survey(bogus)],
    'Swarm.openLanguageModel': [
      'require_dtype',
      'requireDtype',
      bogus => new sdk.Swarm(base.network).openLanguageModel(path, bogus)
    ],
    openLanguageModel: ['initial_peers', 'initialPeers', bogus => sdk.openLanguageModel(path, bogus)],
    openTextModel: ['initial_peers', 'initialPeers', bogus => sdk.openTextModel(path, bogus)],
    'AutoDistributedModelForSeq2SeqLM.fromPretrained': [
      'initial_peers',
      'initialPeers',
      bogus => writers.fromPretrained(path, bogus)
    ],
    'DistributedModelForSeq2SeqLM.forward': [
      'label_smoothing',
      'labelSmoothing',
      bogus => writer.forward({ inputIds: ids, decoderInputIds: ids }, bogus)
    ],
    'DistributedModelForSeq2SeqLM.generate': ['num_beams', 'numBeams', bogus => writer.generate(ids, bogus)],
    'DistributedModelForSeq2SeqLM.generateStream': [
      'do_sample',
      'doSample',
      bogus => collectAll(writer.generateStream(ids, bogus))
    ],
    'seq2seq generate: input': [
      'decoder_input_ids',
      'decoderInputIds',
      bogus => writer.generate({ inputIds: ids, ...bogus })
    ],
    'seq2seq forward: input': [
      'decoder_attention_mask',
      'decoderAttentionMask',
      bogus => writer.forward({ inputIds: ids, labels: ids, ...bogus })
    ],
    'Swarm.openModel': ['require_dtype', 'requireDtype', bogus => new sdk.Swarm(base.network).openModel(path, bogus)],
    'DistributedModelForCausalLM.embed': ['poolling', 'pooling', bogus => base.embed(ids, bogus)],
    'embed: input': ['attention_mask', 'attentionMask', bogus => base.embed({ inputIds: ids, ...bogus })],
    loadTokenizer: ['signl', 'signal', bogus => sdk.loadTokenizer(path, bogus)],
    'AutoDistributedModelForCausalLM.fromPretrained': [
      'initial_peers',
      'initialPeers',
      bogus => sdk.AutoDistributedModelForCausalLM.fromPretrained(path, bogus)
    ],
    'AutoDistributedModel.fromPretrained': [
      'require_dtype',
      'requireDtype',
      bogus => plain.fromPretrained(path, bogus)
    ],
    'AutoDistributedModelForSequenceClassification.fromPretrained': [
      'num_labels',
      'numLabels',
      bogus => sequences.fromPretrained(path, bogus)
    ],
    'AutoDistributedModelForTokenClassification.fromPretrained': [
      'classifier_dropout',
      'classifierDropout',
      bogus => sdk.AutoDistributedModelForTokenClassification.fromPretrained(path, bogus)
    ],
    'AutoDistributedModelForFeatureExtraction.fromPretrained': [
      'require_dtype',
      'requireDtype',
      bogus => sdk.AutoDistributedModelForFeatureExtraction.fromPretrained(path, bogus)
    ],
    'AutoDistributedModelForMaskedLM.fromPretrained': [
      'initial_peers',
      'initialPeers',
      bogus => maskeds.fromPretrained(path, bogus)
    ],
    'AutoDistributedModelForQuestionAnswering.fromPretrained': [
      'initial_peers',
      'initialPeers',
      bogus => readers.fromPretrained(path, bogus)
    ],
    'DistributedModelForMaskedLM.forward': ['seeds', 'seed', bogus => masked.forward({ inputIds: ids }, bogus)],
    'masked forward: input': ['label', 'labels', bogus => masked.forward({ inputIds: ids, ...bogus })],
    'DistributedModelForMaskedLM.fillMask': ['top_k', 'topK', bogus => masked.fillMask('a', bogus)],
    'DistributedModelForQuestionAnswering.forward': [
      'seeds',
      'seed',
      bogus => questions.forward({ inputIds: ids }, bogus)
    ],
    'question forward: input': [
      'start_positions',
      'startPositions',
      bogus => questions.forward({ inputIds: ids, ...bogus })
    ],
    'DistributedModelForQuestionAnswering.answer': [
      'doc_stride',
      'docStride',
      bogus => questions.answer({ question: 'a', context: 'b' }, bogus)
    ],
    'DistributedModel.encode': ['prompt_name', 'promptName', bogus => features.encode('a', bogus)],
    'DistributedModel.encodeIds': ['normalise', 'normalize', bogus => features.encodeIds(ids, bogus)],
    'DistributedModel.sentenceIds': ['prompt_name', 'promptName', bogus => features.sentenceIds('a', bogus)],
    SimilarityModel: ['poolling', 'pooling', bogus => new sdk.SimilarityModel(features, { loss: 'cosine', ...bogus })],
    'SimilarityModel.forward': ['seeds', 'seed', bogus => similar.forward({} as never, bogus)],
    'SimilarityModel.embed': ['signl', 'signal', bogus => similar.embed(ids, { padTokenId: 0, ...bogus })],
    measureAnswers: [
      'max_answer_length',
      'maxAnswerLength',
      bogus => sdk.measureAnswers(questions as never, examples, { padTokenId: 0, ...bogus })
    ],
    measureMultiLabel: [
      'batch_size',
      'batchSize',
      bogus => sdk.measureMultiLabel(classifier, examples, { padTokenId: 0, ...bogus })
    ],
    measureRegression: [
      'batch_size',
      'batchSize',
      bogus => sdk.measureRegression(classifier, examples, { padTokenId: 0, ...bogus })
    ],
    measureSimilarity: [
      'batch_size',
      'batchSize',
      bogus => sdk.measureSimilarity(similar, examples, { padTokenId: 0, ...bogus })
    ],
    measureWritten: [
      'num_beams',
      'numBeams',
      bogus => sdk.measureWritten(writer, examples, { padTokenId: 0, ...bogus })
    ],
    exportMerged: [
      'shard_bytes',
      'shardBytes',
      bogus => sdk.exportMerged(base.parts.checkpoint, path, '/nowhere', bogus)
    ],
    promptLookup: ['max_matching_ngram_size', 'maxMatchingNgramSize', bogus => sdk.promptLookup(bogus)],
    openLocalDraft: ['max_length', 'maxLength', bogus => sdk.openLocalDraft(path, bogus)],
    adamw: ['learning_rate', 'learningRate', bogus => sdk.adamw(bogus)],
    adafactor: ['decay_rate', 'decayRate', bogus => sdk.adafactor(bogus)],
    lion: ['beta_1', 'beta1', bogus => sdk.lion(bogus)],
    sgd: ['weight_decay', 'weightDecay', bogus => sdk.sgd(bogus)],
    createOptimizer: ['adam_beta1', 'adamBeta1', bogus => sdk.createOptimizer(bogus)],
    learningRateAt: [
      'warmup_steps',
      'warmupSteps',
      bogus => sdk.learningRateAt('linear', 0, { ...schedule, ...bogus })
    ],
    'DistributedModel.addAdapter': ['sead', 'seed', bogus => tuned.addAdapter('x', lora, bogus)],
    'DistributedModel.loadAdapter': ['is_trainable', 'isTrainable', bogus => tuned.loadAdapter('none', 'x', bogus)],
    'DistributedModel.setAdapter': [
      'inference_mode',
      'inferenceMode',
      async bogus => tuned.setAdapter('default', bogus)
    ],
    'DistributedModel.addWeightedAdapter': [
      'combination_type',
      'combinationType',
      bogus => tuned.addWeightedAdapter('x', { adapters: ['default'], weights: [1], ...bogus })
    ],
    getPeftModel: ['sead', 'seed', bogus => sdk.getPeftModel(base, lora, bogus)],
    'PeftModel.fromPretrained': [
      'is_trainable',
      'isTrainable',
      bogus => sdk.PeftModel.fromPretrained(base, path, bogus)
    ],
    checkRunFolder: ['resum', 'resume', bogus => sdk.checkRunFolder(config, { resume: true, ...bogus })],
    evaluateLoss: ['batch_size', 'batchSize', bogus => sdk.evaluateLoss(base, examples, { padTokenId: 0, ...bogus })],
    lossEvaluation: [
      'every_steps',
      'everySteps',
      bogus => sdk.lossEvaluation(base, examples, { padTokenId: 0, ...bogus })
    ],
    loadDataset: ['signl', 'signal', bogus => sdk.loadDataset('none', bogus)],
    loadTrainingData: [
      'max_seq_length',
      'maxSeqLength',
      bogus => sdk.loadTrainingData(sources, { ...context, ...bogus })
    ],
    measureClassification: [
      'on_progress',
      'onProgress',
      bogus => sdk.measureClassification(classifier as never, examples, { padTokenId: 0, numLabels: 3, ...bogus })
    ],
    measureExactMatch: ['batch_size', 'batchSize', bogus => sdk.measureExactMatch(base as never, examples, bogus)],
    measureLanguage: [
      'pad_token_id',
      'padTokenId',
      bogus => sdk.measureLanguage(base, examples, { padTokenId: 0, ...bogus })
    ],
    parseTrainConfig: ['learning_rat', 'learning_rate', bogus => sdk.parseTrainConfig({ ...config, ...bogus })],
    planTraining: ['max_steps', 'maxSteps', bogus => sdk.planTraining([1], bogus)],
    previewExample: [
      'lables',
      'labels',
      bogus => sdk.previewExample(examples[0]!, tokenizer, { task: 'CAUSAL_LM', ...bogus })
    ],
    previewTokens: [
      'taks',
      'task',
      bogus => sdk.previewTokens(examples[0]!, tokenizer, { task: 'CAUSAL_LM', ...bogus })
    ],
    runTraining: [
      'on_resume',
      'onResume',
      bogus =>
        collectAll(sdk.runTraining(base, { train: examples, validation: [] }, config, { padTokenId: 0, ...bogus }))
    ],
    taskOfData: ['fromat', 'format', bogus => sdk.taskOfData({ ...sources, ...bogus })],
    tokenizeExamples: ['max_length', 'maxLength', bogus => sdk.tokenizeExamples([], tokenizer, bogus)],
    train: ['warmup_ratio', 'warmupRatio', bogus => collectAll(sdk.train(base, examples, { ...settings, ...bogus }))],
    readAdapterInfo: ['signl', 'signal', bogus => sdk.readAdapterInfo(path, bogus)],
    'DistributedModelForCausalLM.forward': [
      'label_smoothing',
      'labelSmoothing',
      bogus => base.forward({ inputIds: ids }, bogus)
    ],
    'DistributedModelForCausalLM.generate': ['max_new_tokens', 'maxNewTokens', bogus => base.generate(ids, bogus)],
    'DistributedModelForCausalLM.generateStream': [
      'do_sample',
      'doSample',
      bogus => collectAll(base.generateStream(ids, bogus))
    ],
    'DistributedModel.savePretrained': ['signl', 'signal', bogus => tuned.savePretrained('/nowhere', bogus)],
    'DistributedModelForSequenceClassification.savePretrained': [
      'signl',
      'signal',
      bogus => classifier.savePretrained('/nowhere', bogus)
    ],
    // what is not an export itself, but comes with one
    'generate: input': ['attention_mask', 'attentionMask', bogus => base.generate({ inputIds: ids, ...bogus })],
    'forward: input': ['attention_mask', 'attentionMask', bogus => base.forward({ inputIds: ids, ...bogus })],
    'DistributedModelForSequenceClassification.forward': [
      'seeds',
      'seed',
      bogus => classifier.forward({ inputIds: ids }, bogus)
    ],
    'classification forward: input': ['label', 'labels', bogus => classifier.forward({ inputIds: ids, ...bogus })],
    'DistributedModel.forward': ['poolling', 'pooling', bogus => features.forward({ inputIds: ids }, bogus)],
    'feature forward: input': ['input_ids', 'inputIds', bogus => features.forward({ inputIds: ids, ...bogus })],
    'feature backward': [
      'last_hidden_state',
      'lastHiddenState',
      async bogus => (await features.forward({ inputIds: ids })).backward(bogus)
    ],
    'loss backward': [
      'scales',
      'scale',
      async bogus => (await tuned.forward({ inputIds: ids, labels: ids })).loss.backward(bogus)
    ],
    'blocks forward': ['keep_residuals', 'keepResiduals', bogus => base.transformer.h.forward(hidden, bogus)],
    'blocks backward': [
      'input_gradient',
      'inputGradient',
      async bogus => (await base.transformer.h.forward(hidden)).backward(hidden, bogus)
    ],
    openSession: [
      'max_length',
      'maxLength',
      bogus => base.transformer.h.openSession({ batch: 1, maxLength: 2, ...bogus })
    ],
    'session step': [
      'lenghts',
      'lengths',
      async bogus => {
        await using session = await base.transformer.h.openSession({ batch: 1, maxLength: 2 })
        await session.step(hidden, bogus)
      }
    ],
    'optimizer update': ['learning_rate', 'learningRate', bogus => sdk.sgd().update([], {}, bogus)],
    encode: ['add_special_tokens', 'addSpecialTokens', async bogus => (await tokenizerOf()).encode('a', bogus)],
    decode: ['skip_special_tokens', 'skipSpecialTokens', async bogus => (await tokenizerOf()).decode([5], bogus)],
    // within options
    'fromPretrained: codec': [
      'activation',
      'activations',
      bogus => plain.fromPretrained(path, { ...connection, codec: bogus })
    ],
    'fromPretrained: remote': [
      'request_timeout_ms',
      'requestTimeoutMs',
      bogus => plain.fromPretrained(path, { ...connection, remote: bogus })
    ],
    'fromPretrained: audit': [
      'tolerence',
      'tolerance',
      bogus => plain.fromPretrained(path, { ...connection, audit: { probability: 1, ...bogus } })
    ],
    'fromPretrained: hub': [
      'cache_dir',
      'cacheDir',
      bogus => plain.fromPretrained(path, { ...connection, hub: bogus })
    ],
    'fromPretrained: fromPeers': [
      'on_progress',
      'onProgress',
      bogus => plain.fromPretrained(path, { ...connection, fromPeers: { directory: '/nowhere', ...bogus } })
    ],
    'train: optimArgs': [
      'clip_threshold',
      'clipThreshold',
      bogus => collectAll(sdk.train(base, examples, { ...settings, optimArgs: bogus }))
    ],
    'train: lrSchedulerKwargs': [
      'num_cycles',
      'numCycles',
      bogus => collectAll(sdk.train(base, examples, { ...settings, lrSchedulerKwargs: bogus }))
    ],
    'train: lossScale': [
      'init_scale',
      'initScale',
      bogus => collectAll(sdk.train(base, examples, { ...settings, lossScale: bogus }))
    ],
    'learningRateAt: kwargs': [
      'lr_end',
      'lrEnd',
      bogus => sdk.learningRateAt('linear', 0, { ...schedule, kwargs: bogus })
    ],
    'loadTrainingData: sources': [
      'validation_split',
      'validationSplit',
      bogus => sdk.loadTrainingData({ ...sources, ...bogus }, context)
    ],
    // configurations of adapters
    ...Object.fromEntries(
      (
        [
          [lora, 'lora_alpha', 'loraAlpha'],
          [{ peftType: 'ADALORA', totalStep: 9 }, 'init_r', 'initR'],
          [{ peftType: 'BOFT' }, 'boft_block_size', 'boftBlockSize'],
          [{ peftType: 'IA3' }, 'feedforward_modules', 'feedforwardModules'],
          [{ peftType: 'LN_TUNING' }, 'exclude_modules', 'excludeModules'],
          [{ peftType: 'LOHA' }, 'rank_dropout', 'rankDropout'],
          [{ peftType: 'LOKR' }, 'decompose_both', 'decomposeBoth'],
          [{ peftType: 'OFT' }, 'block_share', 'blockShare'],
          [{ peftType: 'VERA' }, 'save_projection', 'saveProjection'],
          [{ peftType: 'PROMPT_TUNING', numVirtualTokens: 2 }, 'prompt_tuning_init', 'promptTuningInit'],
          [{ peftType: 'PREFIX_TUNING', numVirtualTokens: 2 }, 'prefix_projection', 'prefixProjection'],
          [{ peftType: 'P_TUNING', numVirtualTokens: 2 }, 'encoder_hidden_size', 'encoderHiddenSize'],
          [{ peftType: 'DEEP_PROMPT_TUNING', numVirtualTokens: 2 }, 'init_weights', 'initWeights']
        ] as const
      ).map(([config, wrong, right]) => [
        config.peftType,
        [wrong, right, (bogus: Bogus) => sdk.getPeftModel(base, { ...config, ...bogus } as sdk.PeftConfig)]
      ])
    ),
    // servers and peers
    createNetwork: ['identity_path', 'identityPath', bogus => createNetwork(bogus)],
    createServer: ['memory_bytes', 'memoryBytes', async bogus => createServer(await serverInit(bogus))],
    'createServer: maxRate': ['token', 'tokens', async bogus => createServer(await serverInit({ maxRate: bogus }))],
    'createServer: rebalancing': [
      'drain_ms',
      'drainMs',
      async bogus => createServer(await serverInit({ rebalancing: bogus }))
    ]
  } satisfies typeof calls)
})
after(async () => {
  await Promise.all([base, classifier, features, writer, masked, questions].map(model => model.close()))
  await swarm[Symbol.asyncDispose]()
})

async function serverInit(more: object) {
  return { checkpoint: await openCheckpoint(path), cacheDir: '/nowhere', ...more }
}

const tokenizerOf = () => sdk.loadTokenizer(referencePath('..', '..', 'models', 'tiny'))

const isClass = (value: unknown): boolean => typeof value === 'function' && /^class\b/.test(String(value))

/** Names of exported functions, of those in exported objects, and of the methods of classes, under the first class that has them. */
function publicFunctions(): string[] {
  const names: string[] = []
  const seen = new Set<unknown>()
  for (const [name, value] of Object.entries<unknown>(sdk)) {
    if (isClass(value)) {
      const { prototype } = value as { prototype: object }
      for (let at = prototype; at !== Object.prototype && at !== Error.prototype; at = Object.getPrototypeOf(at)) {
        for (const [method, { value: found }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
          if (typeof found !== 'function' || method === 'constructor' || seen.has(found)) continue
          seen.add(found)
          if (!methodsTakeNone.has(method)) names.push(`${name}.${method}`)
        }
      }
    } else if (typeof value === 'function') names.push(name)
    else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      for (const [key, inner] of Object.entries(value)) if (typeof inner === 'function') names.push(`${name}.${key}`)
    }
  }
  return names
}

describe('options', () => {
  it('are checked by every public function: each has a row here', () => {
    const missing = publicFunctions().filter(name => !Object.hasOwn(calls, name) && !takeNone.has(name))
    assert.deepEqual(missing, [])
  })

  it('that do not exist are errors, which name the nearest', async () => {
    assert.ok(Object.keys(calls).length > 60)
    for (const [name, [wrong, right, call]] of Object.entries(calls)) {
      await assert.rejects(
        async () => {
          await call({ [wrong]: 1 as never })
        },
        (error: { code?: string; message: string }) => {
          assert.equal(error.code, 'INVALID_ARGUMENT', `${name}: ${error.message}`)
          assert.match(error.message, new RegExp(`unknown (option|key) ['"]${wrong}['"]`), name)
          assert.match(error.message, new RegExp(`mean ${right}\\?`), name)
          return true
        },
        name
      )
    }
  })

  it('of another kind are errors: a text for a number, no type of adapter', async () => {
    await assert.rejects(base.generate([5], { maxNewTokens: '3' as never }), {
      code: 'INVALID_ARGUMENT',
      message: 'maxNewTokens: expected a whole number above 0, found "3"'
    })
    await assert.rejects(sdk.getPeftModel(base, { peft_type: 'LORA' } as never), {
      code: 'INVALID_ARGUMENT',
      message: "the configuration: unknown field 'peft_type' (did you mean peftType?)"
    })
    await assert.rejects(sdk.getPeftModel(base, { r: 8 } as never), {
      code: 'INVALID_ARGUMENT',
      message: /^the configuration: expected a peftType \(ADALORA, /
    })
  })

  it('of undefined are not given; what is no object is an error', () => {
    interface Options {
      readonly seed?: number
    }
    checkOptions<Options>('run', undefined, { seed: true })
    checkOptions<Options>('run', { seed: 1, other: undefined } as Options, { seed: true })
    // without a prototype, and of a class with methods
    checkOptions<Options>('run', Object.assign(Object.create(null), { seed: 1 }), { seed: true })
    class Settings {
      seed = 1
      twice() {
        return this.seed * 2
      }
    }
    checkOptions<Options>('run', new Settings(), { seed: true })
    class Getter {
      get seed() {
        return 1
      }
    }
    // who copies options does not see what they inherit
    for (const options of [
      Object.create({ seed: 1 }),
      Object.create({ sed: 1 }),
      { __proto__: { seed: 1 } },
      new Getter()
    ]) {
      assert.throws(() => checkOptions<Options>('run', options, { seed: true }), {
        message: /^run: option 'see?d' is inherited from a prototype/
      })
    }
    for (const [options, found] of [
      [Promise.resolve({ seed: 1 }), /found a Promise \(await it\)/],
      [new Map([['seed', 1]]), /found a Map/]
    ] as const) {
      assert.throws(() => checkOptions<Options>('run', options as Options, { seed: true }), { message: found })
    }
    const wrong: readonly [unknown, RegExp][] = [
      [3, /^run: expected options as an object, found a number$/],
      [null, /found null/],
      [[1], /found a list/],
      [new AbortController().signal, /found an AbortSignal \(pass \{ signal \}\)/],
      [{ sead: 1, other: 2 }, /^run: unknown option 'sead' \(did you mean seed\?\), 'other'; there are seed$/]
    ]
    for (const [options, message] of wrong) {
      assert.throws(() => checkOptions<Options>('run', options as Options, { seed: true }), {
        code: 'INVALID_ARGUMENT',
        message
      })
    }
  })

  it('of objects that may hold more are errors only in snake case', () => {
    const keys = { everySteps: true, run: true } as const
    checkSpelling('evaluate', { everySteps: 1, run: 1, mine: 2 }, keys as never)
    assert.throws(() => checkSpelling('evaluate', { every_steps: 1 } as never, keys as never), {
      message: "evaluate: unknown field 'every_steps' (did you mean everySteps?)"
    })
  })
})
