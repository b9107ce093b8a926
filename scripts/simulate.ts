// Prints how well a swarm of servers that come, go and choose their own blocks is placed. npm run simulate [servers] [hours] [seed]
import { minute } from '../common/units.ts'
import { type SimulationInit, simulate } from './swarm-simulation.ts'

const [servers = 1000, hours = 6, seed = 1] = process.argv.slice(2).map(Number)
const base = { servers, hours, totalBlocks: 80, seed }

const scenarios: readonly (readonly [string, SimulationInit])[] = [
  ['servers stay 3 hours', { ...base, stayMs: 180 * minute }],
  ['the same without moves', { ...base, stayMs: 180 * minute, rebalances: false }],
  ['servers stay 30 minutes', { ...base, stayMs: 30 * minute }],
  ['the same, announcements a minute old', { ...base, stayMs: 30 * minute, delayMs: 1 * minute }],
  ['all servers of 12 blocks go at once', { ...base, stayMs: 180 * minute, lostBlocks: 12 }],
  ['the same without moves', { ...base, stayMs: 180 * minute, lostBlocks: 12, rebalances: false }],
  ['announcements a minute old, 12 blocks lost', { ...base, stayMs: 180 * minute, lostBlocks: 12, delayMs: 1 * minute }]
]

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const seconds = (ms: number | null): string => (ms === null ? 'never' : `${Math.round(ms / 1000)} s`)

for (const [name, init] of scenarios) {
  const result = simulate(init)
  const { mean, low, serving, movesPerHour, joinsPerHour, hasty, uncovered, coveredMs, healedMs } = result
  console.log(
    `${name}: ${percent(mean)} of the optimum in the mean, ${percent(low)} at the 5th percentile, ${percent(serving)} of it of servers that serve; ` +
      `${movesPerHour.toFixed(1)} moves an hour (${joinsPerHour.toFixed(0)} joins), ${hasty} within ten minutes of another; ` +
      `a block without server ${percent(uncovered)} of the time` +
      (init.lostBlocks ? `; blocks served again after ${seconds(coveredMs)}, 90 % after ${seconds(healedMs)}` : '')
  )
}
