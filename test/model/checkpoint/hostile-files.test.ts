// Model files that are made to exhaust memory, time or the stack: one line of error each, and soon.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { MiB } from '../../../common/units.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { familyOf } from '../../../model/families/families.ts'
import { parseSafetensorsHeader } from '../../../model/formats/safetensors/encoding.ts'
import type { TensorInfo } from '../../../model/formats/tensor-info.ts'
import { alignNames } from '../../../model/formats/tensor-names.ts'
import { readStateDict } from '../../../model/formats/torch/state-dict.ts'
import { type PickleLimits, unpickle } from '../../../model/formats/torch/unpickler.ts'
import { readJsonObject } from '../../../model/json.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { copyModel, referencePath, rejectsWith, temporaryFolder, tinyPath } from '../support.ts'

/** The message of our error, which has one line and no control characters. */
function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof SwarmError, `expected a SwarmError, found ${error}`)
    assert.doesNotMatch(error.message, /\p{Cc}/u)
    assert.ok(error.message.length < 1000, `${error.message.length} characters`)
    return error.message
  }
  throw new Error('it was read')
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a pickle', () => {
  const pickle = (...parts: (string | number)[]): Uint8Array =>
    Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from([part]))))
  const read = (...parts: (string | number)[]) => readStateDict(pickle('\x80\x02', ...parts, '.'), 'a.bin')

  test('of lists, dictionaries, values or operations without end is refused', () => {
    assert.match(
      refusal(() => read('}'.repeat(750_001))),
      /a\.bin: pickle: makes more than 6000000 objects/
    )
    assert.match(
      refusal(() => read('N'.repeat(1_000_001))),
      /a\.bin: pickle: puts more than 1000000 values on its stack/
    )
    const limited = (text: string, limits: PickleLimits) => {
      const options = { file: 'a.bin', globals: new Map(), persistent: () => null, limits }
      return unpickle(pickle('\x80\x02', text, '.'), options)
    }
    for (const text of [']0'.repeat(10), `]${'q\x00'.repeat(9)}`, '(t0'.repeat(10), '}0}0', '\x89\x85'.repeat(10)]) {
      assert.match(
        refusal(() => limited(`N${text}`, { objects: 9 })),
        /makes more than 9 objects/
      )
      limited(`N${text}`, { objects: 16 })
    }
    assert.match(
      refusal(() => limited(`]${'Na'.repeat(50)}`, { operations: 100 })),
      /does more than 100 operations/
    )
    assert.deepEqual(limited(`]${'Na'.repeat(49)}`, { operations: 101 }), Array(49).fill(null))
    assert.match(
      refusal(() => limited('NNN', { stack: 2 })),
      /puts more than 2 values/
    )
  })

  test('that calls with more arguments than a call takes is refused', () => {
    const call = `ccollections\nOrderedDict\n(${'N'.repeat(300_000)}tR`
    assert.match(
      refusal(() => read(call)),
      /calls a constructor with 300000 arguments/
    )
    assert.match(
      refusal(() => read('ccollections\nOrderedDict\n(]NaatR')),
      /OrderedDict that is not made of pairs|list/
    )
    assert.match(
      refusal(() => read(`c${'x'.repeat(1e6)}\ny\n`)),
      /names 'x+…, which no tensor needs/
    )
  })

  const storage =
    'ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ'
  const hooks = '\x89ccollections\nOrderedDict\n)'
  const named = (name: string): string => `X${String.fromCharCode(name.length)}\x00\x00\x00${name}`

  test('with names that no tensor has, or marks that change its numbers, is refused', () => {
    const tensor = `${storage}K\x00(K\x02t(K\x01t${hooks}RtR`
    assert.deepEqual([...read('}', named('a'), tensor, 's').keys()], ['a'])
    assert.match(
      refusal(() => read('}', named('\x1b[2J\n'), tensor, 's')),
      /a tensor's name: .*"\\u001b\[2J\\n"/
    )
    const negated = `${storage}K\x00(K\x02t(K\x01t${hooks}R}${named('neg')}\x88stR`
    assert.match(
      refusal(() => read('}', named('a'), negated, 's')),
      /metadata \["neg"\] is not supported/
    )
  })

  test('with a dictionary made of pairs has what they say', () => {
    const tensor = `${storage}K\x00(K\x02t(K\x01t${hooks}RtR`
    assert.deepEqual([...read('ccollections\nOrderedDict\n(](', named('w'), tensor, 'tatR').keys()], ['w'])
  })
})

describe('a header of safetensors', () => {
  const read = (text: string) => parseSafetensorsHeader(utf8(text), 'a.safetensors', 8 + text.length)
  const entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'

  test('that nests deep, or holds tensors without end, is refused before it is parsed', () => {
    const nested = `{"__metadata__":${'['.repeat(500_000)}${']'.repeat(500_000)}}`
    assert.match(
      refusal(() => read(nested)),
      /a\.safetensors: header .*expected at most 200 levels .*, found 500001/
    )
    const many = `{"__metadata__":{"a":[${'[],'.repeat(1_000_000)}1]}}`
    assert.match(
      refusal(() => read(many)),
      /expected at most 1000000 arrays and objects, found 1000003/
    )
    const texts = `{"__metadata__":{${'"":"",'.repeat(8_000_001)}"a":""}}`
    assert.match(
      refusal(() => read(texts)),
      /expected at most 8000000 entries/
    )
  })

  test('whose names and shapes no message could show is refused with a short one', () => {
    assert.match(
      refusal(() => read(`{"${'x'.repeat(1e6)}":${entry}}`)),
      /found "x+…/
    )
    assert.match(
      refusal(() => read(`{"a\\n\\u001b[2J":${entry}}`)),
      /found "a\\n\\u001b\[2J"/
    )
    const axes = entry.replace('[0]', `[${Array(1000).fill(0).join()}]`)
    assert.match(
      refusal(() => read(`{"a":${axes}}`)),
      /tensor 'a': expected a shape of whole numbers, found \[0,.*…/
    )
    assert.match(
      refusal(() => read(`{"a":{"dtype":"${'F'.repeat(1e6)}"}}`)),
      /expected a dtype of the format, found "F+…/
    )
  })
})

describe('JSON files of a model', () => {
  test('that are too large, nest too deep, hold too much or are no file are refused', async context => {
    const folder = await temporaryFolder(context)
    const path = join(folder, 'config.json')
    const refused = (message: RegExp) => rejectsWith(readJsonObject(path), 'BAD_CHECKPOINT', message)
    await writeFile(path, '{')
    await truncate(path, 129 * MiB)
    await refused(/config\.json: expected at most 134217728 bytes, found 135266304/)
    await writeFile(path, `{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`)
    await refused(/config\.json: not JSON: expected at most 200 levels/)
    await writeFile(path, `{"a":[${'{},'.repeat(2e6)}{}]}`)
    await refused(/expected at most 2000000 arrays and objects, found 2000003/)
    await rm(path)
    await mkdir(path)
    await refused(/expected a file, found a folder/)
  })

  test('whose fields hold more than a line are named on one', () => {
    const llama = { model_type: 'llama', hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 2 }
    const parse = (fields: Record<string, unknown>) => {
      const raw = { ...llama, intermediate_size: 8, vocab_size: 8, num_key_value_heads: 4, ...fields }
      return refusal(() => familyOf(raw).parseConfig(raw))
    }
    assert.match(
      parse({ hidden_size: Array(1e5).fill(1) }),
      /hidden_size: expected a positive whole number, found \[1,/
    )
    assert.match(parse({ model_type: 'x\n\x1b[2J', architectures: [['a\n'], 'b'.repeat(1e6)] }), /"x\\n\\u001b\[2J"/)
    assert.match(parse({ rope_scaling: { [`${'x'.repeat(1e6)}\n`]: 1 } }), /field 'x+… is unknown/)
    assert.match(parse({ rope_scaling: { type: `\n${'x'.repeat(1e6)}` } }), /rope type '\\nx+… is not supported/)
    assert.match(
      parse({ model_type: 'qwen3', layer_types: Array(1e5).fill('full_attention') }),
      /layer_types: expected 2/
    )
    const experts = { model_type: 'mixtral', num_hidden_layers: 1024, num_local_experts: 1024 }
    assert.match(parse(experts), /expected at most 65536 in all blocks, found 1048576/)
  })

  test('an index of more tensors than any model has is refused', async context => {
    const folder = await copyModel(context, referencePath('odd'))
    const names = Array.from({ length: 350_001 }, (_, index) => `"${index}":"a"`).join()
    await writeFile(join(folder, 'model.safetensors.index.json'), `{"weight_map":{${names}}}`)
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /expected at most 350000 tensors, found 350001/)
  })
})

test('names that could each stand for a missing one are not all tried', () => {
  const info = { dtype: 'float32', shape: [1], file: 'a', offset: 0, length: 4 } as const
  const stored = new Map<string, TensorInfo>()
  for (let index = 0; index < 30_000; index++) {
    const name = `${index}.model.embed_tokens.weight`
    stored.set(name, { ...info, name })
  }
  const expected = [
    'model.embed_tokens.weight',
    ...Array.from({ length: 2000 }, (_, index) => `model.layers.${index}.w`)
  ]
  const before = process.cpuUsage()
  const aligned = alignNames(stored, expected)
  const { user } = process.cpuUsage(before)
  assert.ok(aligned.has('model.embed_tokens.weight'))
  assert.ok(user < 2e6, `${user} microseconds`)
})

test('a name that leads to a pipe, a device or a folder is refused before it is opened', {
  skip: process.platform === 'win32' && 'Windows has no mkfifo'
}, async context => {
  const read = { config: openCheckpoint, weights: openCheckpoint, vocabulary: loadTokenizer, template: loadTokenizer }
  const names = {
    config: 'config.json',
    weights: 'model.safetensors',
    vocabulary: 'tokenizer.json',
    template: 'chat_template.jinja'
  }
  const makers = {
    'a pipe, socket or device': [
      (path: string) => void execFileSync('mkfifo', [path]),
      (path: string) => symlink('/dev/zero', path)
    ],
    'a folder': [mkdir]
  }
  for (const [part, name] of Object.entries(names)) {
    const folder = await copyModel(context, tinyPath)
    const path = join(folder, name)
    for (const [found, make] of Object.entries(makers).flatMap(([what, each]) =>
      each.map(one => [what, one] as const)
    )) {
      await rm(path, { force: true })
      await make(path)
      const opened = read[part as keyof typeof read](folder)
      await rejectsWith(opened, 'BAD_CHECKPOINT', new RegExp(`/${name}: expected a file, found ${found}`))
    }
  }
})

test('a header of GGUF that does not end is refused', async context => {
  const path = join(await temporaryFolder(context), 'long.gguf')
  const keys = 150
  const start = (await readFile(referencePath('gguf/rope-none.gguf'))).subarray(0, 24)
  start.writeBigUInt64LE(BigInt(keys), 16)
  const handle = await open(path, 'w')
  await handle.write(start, 0, 24, 0)
  let at = 24
  const textBytes = MiB / 2
  for (let key = 0; key < keys; key++) {
    const head = Buffer.alloc(8 + 1 + 4 + 8)
    head.writeBigUInt64LE(1n, 0)
    head.write(String.fromCharCode(33 + (key % 90)), 8)
    head.writeUInt32LE(8, 9)
    head.writeBigUInt64LE(BigInt(textBytes), 13)
    await handle.write(head, 0, head.length, at)
    at += head.length + textBytes
  }
  await handle.truncate(at)
  await handle.close()
  await rejectsWith(
    openCheckpoint(path),
    'BAD_CHECKPOINT',
    /long\.gguf: not a GGUF file that can be read: expected a header of at most/
  )
})
