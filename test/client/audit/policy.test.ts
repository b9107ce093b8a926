// What audits go by: tolerances, deviations, verdicts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hiddenDeviation, portsDeviation } from '../../../client/audit/deviation.ts'
import { precisionOf, toleranceOf } from '../../../client/audit/tolerance.ts'
import { judge } from '../../../client/audit/verdict.ts'
import { float32 } from '../../../common/tensor.ts'

const tolerance = { update: 0.01, whole: 0 }

describe('how far results lie apart', () => {
  // two tokens: blocks add [0.3, 0.4] to the first, [0, 10] to the second
  const input = float32([1, 2, 2], [100, 100, 1, 1])
  const reference = float32([1, 2, 2], [100.3, 100.4, 1, 11])

  it('is measured by what the blocks add, token by token', () => {
    const claimed = float32([1, 2, 2], [100.3, 100.41, 1, 11])
    const found = hiddenDeviation({ claimed, reference, input }, tolerance)
    assert.ok(Math.abs(found - 0.01 / (0.01 * 0.5)) < 1e-2, `${found}`)
    assert.equal(
      hiddenDeviation({ claimed, reference, input }, tolerance, (_, position) => position === 1),
      0
    )
  })

  it('is all of it for a server that returns its input, however little blocks add', () => {
    const found = hiddenDeviation({ claimed: input, reference, input }, tolerance)
    assert.ok(Math.abs(found - 100) < 0.1, `${found}`)
  })

  it('has no end where there are no numbers', () => {
    const claimed = float32([1, 2, 2], [Number.NaN, 0, 1, 11])
    assert.equal(hiddenDeviation({ claimed, reference, input }, tolerance), Infinity)
  })

  it('of gradients is that of the worst tensor, and one of next to nothing says nothing', () => {
    const trained = { a: float32([2], [3, 4]), b: float32([1], [1e-9]) }
    assert.equal(portsDeviation({ a: trained.a, b: float32([1], [2e-9]) }, trained, tolerance) < 1, true)
    const found = portsDeviation({ ...trained, a: float32([2], [3, 4.1]) }, trained, tolerance)
    assert.ok(Math.abs(found - 2) < 1e-3, `${found}`)
  })
})

describe('what is tolerated', () => {
  const base = { codec: 'fp32', hops: 1, decoded: false } as const
  it('is little between servers of one precision and what quantizing costs between others', () => {
    const of = (...precisions: ('float32' | 'int8' | 'int4')[]) => toleranceOf({ ...base, precisions }).update
    assert.ok(of('int4', 'int4') < 0.01)
    assert.ok(of('float32', 'int8') > of('int8', 'int8'))
    assert.ok(of('float32', 'int4') > of('float32', 'int8'))
  })

  it('grows with the codec, the hops and the factor', () => {
    const precisions = ['float32', 'float32'] as const
    const one = toleranceOf({ ...base, precisions, codec: 'int8' })
    assert.ok(one.whole > toleranceOf({ ...base, precisions, codec: 'fp16' }).whole)
    assert.equal(toleranceOf({ ...base, precisions, codec: 'int8', hops: 4 }).whole, 2 * one.whole)
    assert.equal(toleranceOf({ ...base, precisions, codec: 'int8' }, 3).update, 3 * one.update)
  })

  it('is strict for a precision that nobody knows', () => {
    assert.equal(precisionOf('int4'), 'int4')
    assert.equal(precisionOf('int1'), 'float32')
    assert.equal(precisionOf(undefined), 'float32')
  })
})

describe('who is believed', () => {
  const server = (agreesWithClaim: boolean, agreesWithSecond: boolean, isOwn = false) => ({
    agreesWithClaim,
    agreesWithSecond,
    isOwn
  })
  const cases = [
    ['agreed', { agrees: true, isOwn: false }, null],
    ['lied', { agrees: false, isOwn: true }, null],
    ['undecided', { agrees: false, isOwn: false }, null],
    ['lied', { agrees: false, isOwn: false }, server(false, true)],
    ['reference lied', { agrees: false, isOwn: false }, server(true, false)],
    ['agreed', { agrees: false, isOwn: false }, server(true, true)],
    ['undecided', { agrees: false, isOwn: false }, server(false, false)],
    ['both lied', { agrees: false, isOwn: false }, server(false, false, true)]
  ] as const
  for (const [verdict, second, third] of cases) {
    it(`${verdict}: second ${JSON.stringify(second)}, third ${JSON.stringify(third)}`, () => {
      assert.equal(judge(second, third), verdict)
    })
  }
})
