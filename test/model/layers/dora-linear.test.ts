// A linear module with DoRA against PEFT's (scripts/reference/lora_relatives.py): output and gradients, with masks of dropout too.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { GraphBuilder } from '../../../graph/builder.ts'
import { differentiate } from '../../../graph/gradient.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { linear } from '../../../model/layers/linear.ts'
import { createSession } from '../../../runtime/session.ts'
import { referencePath, relativeError } from '../support.ts'

for (const name of ['plain', 'conv', 'plain-dropout', 'conv-dropout']) {
  test(`'${name}'`, async () => {
    const path = referencePath('lora-relatives/modules.safetensors')
    const { tensors } = decodeSafetensors(await readFile(path), path)
    const of = (part: string) => tensors[`${name}.${part}`]!
    const g = new GraphBuilder('module')
    const input = (part: string) => g.input(part, 'float32', of(part).shape)
    const [x, weight, bias, a, b, magnitude] = ['x', 'weight', 'bias', 'a', 'b', 'magnitude'].map(input)
    const mask = name.endsWith('dropout') ? input('mask') : undefined
    const weights = { weight: weight!, bias: bias!, transposed: name.startsWith('conv') }
    g.output('y', linear(g, x!, weights, { lora: { a: a!, b: b!, magnitude: magnitude!, mask } }))
    const trained = ['x', 'a', 'b', 'magnitude']
    await using session = await createSession(differentiate(g.build(), { wanted: trained }), { inline: true })
    const feeds = session.graph.inputs.map(({ name }) => [name, of(name === 'grad.y' ? 'grad' : name)] as const)
    const results = await session.run(Object.fromEntries(feeds))
    for (const [found, expected] of [['y', 'y'], ...trained.map(part => [`grad.${part}`, `grad_${part}`])]) {
      const error = relativeError(results[found!]!, of(expected!))
      assert.ok(error < 1e-6, `${found}: relative error ${error}`)
    }
  })
}
