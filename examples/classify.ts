// Teaches a model to tell which of three books a sentence comes from, with a LoRA adapter and a head of three labels, through
// a swarm. Start servers first (README.md, "A swarm by hand"), then:
//
//   node examples/classify.ts <address of any peer> [folder for the adapter] [path of the model]
//
// The servers compute blocks and know neither the labels nor the head, which is trained and kept here.
import {
  AutoDistributedModelForSequenceClassification,
  getPeftModel,
  loadTokenizer,
  loadTrainingData,
  measureClassification,
  PeftModel,
  train
} from 'swarmtune'

const [peer, folder = 'sources-adapter', path = 'models/tiny'] = process.argv.slice(2)
if (peer === undefined) {
  console.error('usage: node examples/classify.ts <address of a peer> [folder] [model]')
  process.exit(2)
}

const sources = { train: 'data/sources.train.jsonl', validation: 'data/sources.test.jsonl' }
const data = await loadTrainingData(sources, { tokenizer: await loadTokenizer(path), maxPositions: 1024 })
const base = await AutoDistributedModelForSequenceClassification.fromPretrained(path, {
  initialPeers: [peer],
  id2label: data.labels!
})
const model = await getPeftModel(base, { peftType: 'LORA', r: 8, loraAlpha: 16, targetModules: ['q_proj', 'v_proj'] })
const padTokenId = base.config.padTokenId ?? 0

const options = {
  numTrainEpochs: 2,
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
const loaded = await PeftModel.fromPretrained(base, folder)
for (const text of ['And the LORD spake unto Moses.', 'The whale rose under the boat.', 'I ask the Congress to act.']) {
  const { logits } = await loaded.forward({ inputIds: base.tokenizer.encode(text) })
  console.log(`${text} -> ${base.id2label[logits.data.indexOf(Math.max(...logits.data))]}`)
}

await base.close()
