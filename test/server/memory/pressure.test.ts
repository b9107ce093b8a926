import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MiB } from '../../../common/units.ts'
import { MemoryPressure } from '../../../server/memory/pressure.ts'

/** Looks at each reading in turn; gives the readings at which it collected. Each collection frees `garbage` bytes. */
function collectedAt(readings: readonly number[], garbage: number): number[] {
  let rss = 0
  const at: number[] = []
  const collect = (): void => {
    at.push(rss / MiB)
    rss -= garbage
  }
  const pressure = new MemoryPressure({ rss: () => rss, collect }, { memoryBytes: 400 * MiB })
  for (const reading of readings) {
    rss = reading * MiB
    pressure.check()
  }
  return at
}

test('garbage is collected when memory is high and has grown, and not for weights that fill it', () => {
  assert.deepEqual(collectedAt([100, 200, 299], 0), [], 'below three quarters')
  assert.deepEqual(collectedAt([320, 330, 340, 350], 100 * MiB), [320, 330, 340, 350], 'a flood')
  assert.deepEqual(collectedAt([380, 381, 382, 390], 0), [380], 'weights that lie there')
  assert.deepEqual(collectedAt([380, 390, 398, 410], 0), [380, 398], 'growth of 16 MiB')
  assert.deepEqual(collectedAt([380, 200, 310], 0), [380, 310], 'from where it went down to')
})
