// Teaches a model the capitals of the United States with a LoRA adapter, through a swarm. Start servers first
// (README.md, "A swarm by hand"), then:
//
//   node examples/finetune.ts <address of any peer> [folder for the adapter] [path of the model]
//
// The servers compute forward and backward; what is trained stays here, and so does the optimizer.
import {
  AutoDistributedModelForCausalLM,
  adamw,
  applyUpdates,
  collate,
  getPeftModel,
  loadDataset,
  PeftModel,
  tokenizeExamples,
  train
} from 'swarmtune'

const [peer, folder = 'capitals-adapter', path = 'models/tiny'] = process.argv.slice(2)
if (peer === undefined) {
  console.error('usage: node examples/finetune.ts <address of a peer> [folder] [model]')
  process.exit(2)
}

const base = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: [peer] })
const model = await getPeftModel(base, {
  peftType: 'LORA', // or { peftType: 'PROMPT_TUNING', numVirtualTokens: 16 }
  r: 16,
  loraAlpha: 32,
  loraDropout: 0,
  targetModules: 'all-linear'
})
const [eosTokenId = 0] = base.config.eosTokenIds
const padTokenId = base.config.padTokenId ?? eosTokenId
const examples = tokenizeExamples(await loadDataset('data/capitals.jsonl'), base.tokenizer, { eosTokenId })

// One step by hand, as in PyTorch …
const optimizer = adamw()
let state = optimizer.init(model.parameters())
const { loss } = await model.forward(collate(examples.slice(0, 8), padTokenId))
await loss.backward()
const update = optimizer.update(model.parameters(), state, { learningRate: 4e-3 })
applyUpdates(model.parameters(), update.updates)
state = update.state
model.zeroGrad()
console.log(`loss before training: ${loss.item().toFixed(3)}`)

// … and the loop that does it all.
const options = {
  numTrainEpochs: 20,
  perDeviceTrainBatchSize: 25,
  learningRate: 4e-3,
  lrSchedulerType: 'cosine',
  padTokenId
} as const
for await (const { step, total, loss, tokensPerSecond } of train(model, examples, options)) {
  console.log(`step ${step} of ${total}: loss ${loss.toFixed(3)}, ${tokensPerSecond.toFixed(0)} tokens/s`)
}

await model.savePretrained(folder)
const loaded = await PeftModel.fromPretrained(base, folder)
for (const prompt of ['The capital of Vermont is', 'The capital of Texas is']) {
  const [ids] = await loaded.generate(prompt, { maxNewTokens: 10 })
  console.log(base.tokenizer.decode(ids!, { skipSpecialTokens: true }))
}

await base.close()
