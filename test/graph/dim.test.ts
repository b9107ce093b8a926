import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addDims, canonical, divideDim, evaluate, multiplyDims, productOf } from '../../graph/dim.ts'

describe('sizes with symbols', () => {
  it('are written in one way whatever their order', () => {
    for (const spelling of ['past+seq', 'seq+past', 'seq + past + 0', '1*seq+past', '2*past-past+seq']) {
      assert.equal(canonical(spelling), 'past+seq')
    }
    assert.equal(canonical('seq*batch'), 'batch*seq')
    assert.equal(canonical('4*seq'), '4*seq')
    assert.equal(canonical('3-seq'), '-seq+3')
  })

  it('become numbers where symbols cancel', () => {
    assert.equal(addDims('seq', 'seq', -1), 0)
    assert.equal(addDims('seq+5', 'seq', -1), 5)
    assert.equal(canonical('2*3'), 6)
  })

  it('add and multiply', () => {
    assert.equal(addDims('seq', -1), 'seq-1')
    assert.equal(addDims('seq-1', 1), 'seq')
    assert.equal(addDims('past', 'seq'), 'past+seq')
    assert.equal(multiplyDims('past+seq', 'batch'), 'batch*past+batch*seq')
    assert.equal(multiplyDims('seq-1', 2), '2*seq-2')
    assert.equal(productOf(['batch', 'seq', 3, 4]), '12*batch*seq')
    assert.equal(productOf([]), 1)
  })

  it('divide where the quotient is a size', () => {
    assert.equal(divideDim('12*batch*seq', 'batch'), '12*seq')
    assert.equal(divideDim('batch*past+batch*seq', 'batch'), 'past+seq')
    assert.equal(divideDim(12, 4), 3)
    assert.equal(divideDim('12*seq', 5), null)
    assert.equal(divideDim('batch', 'seq'), null)
    assert.equal(divideDim(12, 0), null)
  })

  it('are evaluated', () => {
    const sizes: Record<string, number> = { past: 7, seq: 3, 'rank.0.mlp.up': 2 }
    assert.equal(
      evaluate('2*past+seq-1', symbol => sizes[symbol]!),
      16
    )
    assert.equal(
      evaluate('rank.0.mlp.up*seq', symbol => sizes[symbol]!),
      6
    )
    assert.equal(
      evaluate(5, () => 0),
      5
    )
  })

  it('are refused where they are none', () => {
    assert.throws(() => canonical('seq/2'), { code: 'INTERNAL', message: /'seq\/2' is not a size/ })
    assert.throws(() => canonical('2x+1'), { message: /is not a size/ })
  })
})
