// Files that are not trusted: checkpoints in every format, tokenizers, chat templates, adapters, data, configurations.

import { cpSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeStateFile } from '../../../client/train/checkpoint/format.ts'
import { parseTrainConfig } from '../../../client/train/config/parse.ts'
import { readConfigYaml } from '../../../client/train/config/yaml.ts'
import { readData } from '../../../client/train/data/read.ts'
import { parseMetrics } from '../../../client/train/run/metrics.ts'
import { readAdapterConfig, readAdapterTensors } from '../../../client/tuning/adapter-file.ts'
import { methodOf } from '../../../client/tuning/methods.ts'
import { openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { renderChat } from '../../../model/text/chat-template.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { mutateJson } from '../mutate.ts'
import type { FuzzTarget } from '../target.ts'

const root = join(import.meta.dirname, '../../..')
const reference = (...parts: string[]): string => join(root, 'test/reference', ...parts)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

interface FileTarget {
  readonly name: string
  /** folder that the file lies in; copied, and the file replaced by each input */
  readonly folder: string
  /** name that every input is written under */
  readonly file: string
  /** files that inputs are made of, besides the folder's own */
  readonly others?: readonly string[]
  readonly json?: boolean
  read(folder: string): Promise<void>
}

/** A target whose inputs are one file of a folder. */
function fileTarget({ name, folder, file, others = [], json = false, read }: FileTarget): FuzzTarget {
  let copy: string | undefined
  return {
    name,
    ...(json && { mutate: mutateJson }),
    async seeds() {
      copy = await mkdtemp(join(tmpdir(), `swarm-fuzz-${name}-`))
      if (folder !== '') cpSync(folder, copy, { recursive: true })
      const own = await readFile(join(copy, file)).catch(() => null)
      return [...(own === null ? [] : [own]), ...(await Promise.all(others.map(path => readFile(path))))]
    },
    async run(input) {
      await writeFile(join(copy!, file), input)
      await read(copy!)
    },
    stop: async () => {
      if (copy !== undefined) await rm(copy, { recursive: true, force: true })
    }
  }
}

/** Opens the model and reads every tensor, a few bytes of which are wrong or missing. */
async function readCheckpoint(folder: string): Promise<void> {
  const checkpoint = await openCheckpoint(folder)
  for (const name of checkpoint.tensors.keys()) await readTensor(checkpoint, name)
}

const tiny = join(root, 'models/tiny')

const checkpoints: readonly FileTarget[] = [
  { name: 'config', folder: reference('narrow'), file: 'config.json', json: true, read: readCheckpoint },
  {
    name: 'config-families',
    folder: reference('narrow'),
    file: 'config.json',
    json: true,
    others: ['bloom', 'falcon-40b', 'gemma3', 'gpt2', 'gpt_neox', 'mixtral', 'opt', 'yarn', 'mistral-sliding'].map(
      family => reference('families', family, 'config.json')
    ),
    read: readCheckpoint
  },
  {
    name: 'generation-config',
    folder: reference('narrow'),
    file: 'generation_config.json',
    json: true,
    read: readCheckpoint
  },
  { name: 'safetensors', folder: reference('narrow'), file: 'model.safetensors', read: readCheckpoint },
  {
    name: 'index',
    folder: reference('grouped'),
    file: 'model.safetensors.index.json',
    json: true,
    read: readCheckpoint
  }
]

async function openOnly(path: string): Promise<void> {
  const checkpoint = await openCheckpoint(path)
  const [first] = checkpoint.tensors.keys()
  if (first !== undefined) await readTensor(checkpoint, first)
}

const conversation = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Hi' },
  { role: 'user', content: 'Why?' }
] as const

const adapter = reference('task-adapters/seq-cls-lora')

const files: readonly FileTarget[] = [
  ...checkpoints,
  {
    name: 'torch',
    folder: reference('narrow'),
    file: 'pytorch_model.bin',
    others: ['narrow.bin', 'views.bin', 'code.bin', 'compressed.bin'].map(file => reference('torch', file)),
    async read(folder) {
      await rm(join(folder, 'model.safetensors'), { force: true })
      await readCheckpoint(folder)
    }
  },
  {
    name: 'gguf',
    folder: '',
    file: 'model.gguf',
    others: ['pieces.gguf', 'rope-linear.gguf', 'rope-yarn.gguf', 'rope-yarn-factors.gguf'].map(file =>
      reference('gguf', file)
    ),
    async read(folder) {
      const path = join(folder, 'model.gguf')
      await loadTokenizer(path)
      await openOnly(path)
    }
  },
  {
    name: 'tokenizer',
    folder: '',
    file: 'tokenizer.json',
    json: true,
    async read(folder) {
      const tokenizer = await loadTokenizer(folder)
      tokenizer.decode(tokenizer.encode('Hello ½ wörld\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'))
    }
  },
  {
    name: 'tokenizer-config',
    folder: '',
    file: 'tokenizer_config.json',
    json: true,
    others: [join(tiny, 'tokenizer_config.json')],
    async read(folder) {
      cpSync(join(tiny, 'tokenizer.json'), join(folder, 'tokenizer.json'))
      await loadTokenizer(folder)
    }
  },
  {
    name: 'adapter-config',
    folder: adapter,
    file: 'adapter_config.json',
    json: true,
    others: ['seq-cls-adalora', 'seq-cls-ia3', 'seq-cls-prefix', 'seq-cls-p-tuning'].map(name =>
      reference('task-adapters', name, 'adapter_config.json')
    ),
    async read(folder) {
      const stored = await readAdapterConfig(join(folder, 'adapter_config.json'))
      methodOf(stored.peft_type).read(stored, folder)
    }
  },
  {
    name: 'adapter-tensors',
    folder: adapter,
    file: 'adapter_model.safetensors',
    read: async folder => void (await readAdapterTensors(folder))
  }
]

const template: FuzzTarget = {
  name: 'chat-template',
  seeds: async () =>
    [
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
      "{{ bos_token }}{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}[{{ m.content | trim | upper }}]{% endfor %}{{ ns.n }}",
      '{% macro row(a, b=2) %}{{ a ~ b }}{% endmacro %}{% for i in range(3) %}{{ row(i) }}{{ messages[0] | tojson(indent=2) }}{% endfor %}{{ messages | map(attribute="role") | join(",") }}'
    ].map(bytesOf),
  run: input =>
    void renderChat(
      { source: textOf(input), specialTokens: { bos_token: '<s>' }, file: 'chat_template.jinja' },
      conversation
    )
}

/** A target of a function over text. */
const textTarget = (
  name: string,
  seeds: readonly string[],
  read: (text: string) => void,
  json = false
): FuzzTarget => ({
  name,
  ...(json && { mutate: mutateJson }),
  seeds: async () => seeds.map(bytesOf),
  run: input => read(textOf(input))
})

const rows = [
  { prompt: 'The capital of Vermont is', completion: ' Montpelier.' },
  { messages: conversation },
  { instruction: 'Add', input: '1 2', output: '3' },
  { text: 'good', label: 1 },
  { tokens: ['a', 'b'], tags: ['X', 'Y'] }
].map(row => JSON.stringify(row))

const run = `model: models/tiny
train_file: data/capitals.jsonl
output_dir: runs/x
num_train_epochs: 2
learning_rate: 3e-3
peft: { peft_type: LORA, r: 8, lora_alpha: 16, target_modules: [q_proj, v_proj] }
`

const trainerState = JSON.stringify({
  format: 1,
  global_step: 2,
  max_steps: 4,
  best_metric: null,
  best_global_step: null,
  evaluated_step: null,
  evaluations_without_improvement: 0,
  loss_scale: null,
  optimizer_counts: { 'lora.A': [2] },
  method_numbers: null,
  run: { model: 'ab' }
})

const texts: readonly FuzzTarget[] = [
  template,
  textTarget('train-config', [run], text => void parseTrainConfig(readConfigYaml(text, 'run.yaml').values)),
  textTarget('trainer-state', [trainerState], text => void decodeStateFile(bytesOf(text), 'state'), true),
  textTarget('metrics', ['{"step":1,"loss":2.5,"time":"2026-01-01T00:00:00Z"}\n'], text => void parseMetrics(text))
]

const data: readonly FileTarget[] = [
  { name: 'data-jsonl', extension: 'jsonl', json: true },
  { name: 'data-json', extension: 'json', json: true },
  { name: 'data-csv', extension: 'csv', json: false }
].map(({ name, extension, json }) => ({
  name,
  folder: '',
  file: `data.${extension}`,
  json,
  read: async folder => void (await readData([join(folder, `data.${extension}`)]))
}))

const seedsOf = {
  'data-jsonl': rows.map(row => `${row}\n${row}\n`),
  'data-json': rows.map(row => `[${row}, ${row}]`),
  'data-csv': ['prompt,completion\nA,"B ""C"",\nD"\n', 'text;label\r\nA;1\r\n;\r\nB;0\r\n']
}

export const fileTargets: readonly FuzzTarget[] = [
  ...files.map(fileTarget),
  ...data.map(target => {
    const made = fileTarget(target)
    const seeds = seedsOf[target.name as keyof typeof seedsOf]
    return { ...made, seeds: async () => [...(await made.seeds()), ...seeds.map(bytesOf)] }
  }),
  ...texts
]
