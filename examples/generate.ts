// Continues a text through a swarm. Start servers first (README.md, "A swarm by hand"), then:
//
//   node examples/generate.ts <address of any peer> [prompt] [path of the model]
//
// The model's directory is read for its embeddings, last norm and head only; the blocks are the servers'.
import { AutoDistributedModelForCausalLM } from 'swarmtune'

const [peer, prompt = 'It was a dark', path = 'models/tiny'] = process.argv.slice(2)
if (peer === undefined) {
  console.error('usage: node examples/generate.ts <address of a peer> [prompt] [model]')
  process.exit(2)
}

const model = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: [peer] })

// All at once, token ids in and out …
const inputIds = model.tokenizer.encode(prompt)
const [outputs] = await model.generate(inputIds, { maxNewTokens: 20 })
console.log(model.tokenizer.decode(outputs!))

// … or as it comes, sampled.
process.stdout.write(`\n${prompt}`)
const sampling = { maxNewTokens: 40, doSample: true, temperature: 0.8, topP: 0.9, seed: 1 }
for await (const { text } of model.generateStream(prompt, sampling)) process.stdout.write(text)
console.log()

await model.close()
