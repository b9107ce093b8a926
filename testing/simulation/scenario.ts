// What a seed decides before its world begins: which machines there are, and who serves what.

import type { Random } from '../../common/random.ts'
import type { BlockRange } from '../../common/range.ts'
import { second } from '../../common/units.ts'
import { numBlocks } from './tiny-model.ts'

export interface Scenario {
  /** blocks of each server */
  readonly servers: readonly BlockRange[]
  /** time between two pings of a connection */
  readonly pingIntervalMs: number
  /** of a private swarm */
  readonly secret: Uint8Array | undefined
}

const half = numBlocks / 2
const layouts: readonly (readonly [number, number][])[] = [
  [
    [0, half],
    [half, numBlocks],
    [0, half],
    [half, numBlocks]
  ],
  [
    [0, numBlocks],
    [0, half],
    [half, numBlocks]
  ],
  [
    [0, numBlocks],
    [0, numBlocks],
    [0, numBlocks]
  ],
  [
    [0, 3],
    [1, numBlocks],
    [0, 1],
    [3, numBlocks]
  ],
  [
    [0, 1],
    [1, numBlocks],
    [0, 3],
    [3, numBlocks]
  ]
]

export const pickOne = <T>(random: Random, from: readonly T[]): T => from[random.integer(from.length)]!

export function drawScenario(random: Random): Scenario {
  const layout = pickOne(random, layouts)
  return {
    servers: layout.map(([first, end]) => ({ first, end })),
    pingIntervalMs: pickOne(random, [20, 40, 60]) * second,
    secret: random.uniform() < 0.3 ? Uint8Array.from({ length: 32 }, () => random.integer(256)) : undefined
  }
}
