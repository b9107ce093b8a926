// Scaled rotary angles of GGUF files against those that transformers computes from the configuration they stand for.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, type TestContext, test } from 'node:test'
import type { Tensor } from '../../../common/tensor.ts'
import { familyOf } from '../../../model/families/families.ts'
import { openModelFolder } from '../../../model/formats/open-folder.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { referencePath, rejectsWith, temporaryFolder } from '../support.ts'

const kinds = ['none', 'linear', 'yarn', 'yarn-factors', 'llama3'] as const
let expected: Record<string, Tensor>

before(async () => {
  const path = referencePath('gguf/rope.safetensors')
  expected = decodeSafetensors(await readFile(path), path).tensors
})

async function configOf(path: string) {
  const raw = await (await openModelFolder(path)).json('config.json')
  const family = familyOf(raw!)
  return { family, config: family.parseConfig(raw!) }
}

/** Of every fourth position, as the reference has them. */
function everyFourth({ data, shape }: Tensor): number[] {
  const [rows, width] = shape as [number, number]
  return Array.from({ length: rows / 4 }, (_, row) => [...data.slice(4 * row * width, (4 * row + 1) * width)])
    .flat()
    .map(Number)
}

/** A copy of a file with some bytes changed. */
async function changed(context: TestContext, kind: string, change: (bytes: Buffer) => void): Promise<string> {
  const bytes = await readFile(referencePath(`gguf/rope-${kind}.gguf`))
  change(bytes)
  const copy = join(await temporaryFolder(context), 'changed.gguf')
  await writeFile(copy, bytes)
  return copy
}

test('a GGUF file that tells the end of a message from that of a text has both as end tokens', async () => {
  assert.deepEqual((await configOf(referencePath('gguf/rope-none.gguf'))).config.eosTokenIds, [1, 2])
  assert.deepEqual((await configOf(referencePath('gguf/rope-linear.gguf'))).config.eosTokenIds, [])
})

describe('rotary angles of a GGUF file', () => {
  for (const kind of kinds) {
    test(`are those of transformers: ${kind}`, async () => {
      const { family, config } = await configOf(referencePath(`gguf/rope-${kind}.gguf`))
      const tables = family.rotaryTables(config, 512)
      for (const part of ['cos', 'sin'] as const) {
        const wanted = [...expected[`${kind}.${part}`]!.data].map(Number)
        const found = everyFourth(tables[part]!)
        assert.equal(found.length, wanted.length)
        const worst = Math.max(...found.map((value, index) => Math.abs(value - wanted[index]!)))
        // angles are up to 512: a unit in their last place is 3e-5
        assert.ok(worst < 6e-5, `${part}: ${worst}`)
      }
    })
  }

  test('differ between the kinds, so that none passes for another', () => {
    const all = kinds.map(kind => [...expected[`${kind}.sin`]!.data].slice(-16).join())
    assert.equal(new Set(all).size, kinds.length)
  })

  test('of another scaling are refused by name', async context => {
    const copy = await changed(context, 'linear', bytes => bytes.write('strang', bytes.indexOf('linear'), 'latin1'))
    await rejectsWith(
      configOf(copy),
      'UNSUPPORTED',
      /changed\.gguf: rope scaling 'strang' is not supported in GGUF files/
    )
  })

  test('with factors for other pairs than those that turn are refused', async context => {
    const copy = await changed(context, 'llama3', bytes => {
      // after the name and the number of axes
      bytes.writeBigUInt64LE(15n, bytes.indexOf('rope_freqs.weight') + 'rope_freqs.weight'.length + 4)
    })
    await rejectsWith(configOf(copy), 'BAD_CHECKPOINT', /'rope_freqs\.weight': expected shape \[16\], found \[15\]/)
  })
})
