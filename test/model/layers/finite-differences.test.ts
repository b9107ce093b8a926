import { describe, test } from 'node:test'
import { stackNamed } from '../../../model/config/config.ts'
import { readStackCase, statesOf } from '../families/families.ts'
import { readCase } from '../reference-cases.ts'
import { assertSlopes, factorPorts, vectorPorts } from './port-values.ts'

describe('gradients against finite differences', () => {
  for (const [model, made, kinds] of [
    ['grouped', vectorPorts, 'vectors'],
    ['narrow', vectorPorts, 'vectors'],
    ['grouped', factorPorts, 'factors']
  ] as const) {
    test(`of the input and every kind of port of '${model}', with ${kinds}`, async context => {
      const { checkpoint, feeds, ports: given } = await readCase(model, 'ports')
      const { config } = checkpoint
      const last = config.numBlocks - 1
      const vectors = made(checkpoint, last)
      Object.assign(feeds, vectors)
      // factors in one block: what several make of a gradient is what vectors show
      const blocks = { first: kinds === 'factors' ? last : 0, end: config.numBlocks }
      const ofLast = (port: string) => port.startsWith(`blocks.${last}.`)
      const ports = [...given.filter(port => blocks.first === 0 || ofLast(port)), ...Object.keys(vectors)]
      // the gradients of single factors are small, and what they move is not: wider steps, or rounding is all there is
      const step = kinds === 'factors' ? 2e-2 : 2e-3
      await assertSlopes(context, checkpoint, {
        blocks,
        ports,
        wanted: ['hidden', ...ports.filter(ofLast)],
        feeds,
        step
      })
    })
  }

  for (const side of ['encoder', 'decoder'] as const) {
    test(`of the states and every kind of port of the ${side} of two stacks`, async context => {
      const { checkpoint, feeds, ports: given } = await readStackCase('t5', 'ports', side)
      const { blocks } = stackNamed(checkpoint.config, side)!
      const last = blocks.end - 1
      const vectors = vectorPorts(checkpoint, last)
      const ports = [...given, ...Object.keys(vectors)]
      const wanted = [...statesOf(side), ...ports.filter(port => port.startsWith(`blocks.${last}.`))]
      const all = { ...feeds, ...vectors }
      await assertSlopes(context, checkpoint, { blocks, ports, wanted, feeds: all, step: 2e-3 })
    })
  }
})
