// The AI SDK over a swarm, without HTTP between: text, an object of a schema, and embeddings. Start servers first (README.md, "A swarm
// by hand"), then:
//
//   npm install ai zod
//   node examples/ai-sdk.ts <address of any peer> [path of the model]
import { embed, generateText, Output, streamText } from 'ai'
import { AutoDistributedModelForCausalLM } from 'swarmtune'
import { createSwarm } from 'swarmtune/ai-sdk'
import { z } from 'zod'

const [peer, path = 'models/tiny'] = process.argv.slice(2)
if (peer === undefined) {
  console.error('usage: node examples/ai-sdk.ts <address of a peer> [model]')
  process.exit(2)
}

const model = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: [peer] })
// models/tiny is a base model: it has no chat template of its own
const chatTemplate = model.tokenizer.chatTemplate ?? {
  source: '{% for message in messages %}{{ message.content }}\n{% endfor %}',
  specialTokens: {},
  file: 'examples/ai-sdk.ts'
}
const swarm = createSwarm({ mine: { model, chatTemplate } })

const { textStream } = streamText({ model: swarm('mine'), prompt: 'It was a dark', maxOutputTokens: 20 })
for await (const piece of textStream) process.stdout.write(piece)

const { output } = await generateText({
  model: swarm('mine'),
  prompt: 'A person, as JSON:',
  output: Output.object({ schema: z.object({ name: z.string().max(20), age: z.int().min(0).max(120) }) })
})
console.log(`\n${JSON.stringify(output)}`)

const { embedding } = await embed({ model: swarm.embeddingModel('mine'), value: 'It was a dark' })
console.log(`a vector of ${embedding.length} numbers`)
await model.close()
