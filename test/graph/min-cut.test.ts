import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FlowNetwork } from '../../graph/min-cut.ts'

interface Network {
  readonly limits: readonly number[]
  readonly edges: readonly (readonly [number, number])[]
  readonly sources: readonly number[]
  readonly sinks: readonly number[]
}

function minimumCut({ limits, edges, sources, sinks }: Network): number[] {
  const network = new FlowNetwork()
  for (const [vertex, limit] of limits.entries()) network.limit(`${vertex}`, limit)
  for (const [from, to] of edges) network.connect(`${from}`, `${to}`)
  for (const vertex of sources) network.source(`${vertex}`)
  for (const vertex of sinks) network.sink(`${vertex}`)
  return [...network.minimumCut()].map(Number).sort()
}

/** Whether a path leads from a source to a sink around the cut. */
function leaks({ edges, sources, sinks }: Network, cut: ReadonlySet<number>): boolean {
  const reached = new Set(sources.filter(vertex => !cut.has(vertex)))
  for (const vertex of reached) for (const [from, to] of edges) if (from === vertex && !cut.has(to)) reached.add(to)
  return sinks.some(sink => reached.has(sink))
}

const weight = (cut: Iterable<number>, { limits }: Network): number => [...cut].reduce((sum, v) => sum + limits[v]!, 0)

describe('minimum cut', () => {
  it('goes through the narrowest place', () => {
    const chain = {
      limits: [5, 2, 7],
      edges: [
        [0, 1],
        [1, 2]
      ] as const,
      sources: [0],
      sinks: [2]
    }
    assert.deepEqual(minimumCut(chain), [1])
  })

  it('lies nearest to the sink among equals', () => {
    const chain = {
      limits: [3, 3, 3],
      edges: [
        [0, 1],
        [1, 2]
      ] as const,
      sources: [0],
      sinks: [2]
    }
    assert.deepEqual(minimumCut(chain), [2])
  })

  it('is empty where nothing hangs on the source', () => {
    assert.deepEqual(minimumCut({ limits: [1, 1], edges: [[0, 1]], sources: [], sinks: [1] }), [])
  })

  it('separates source from sink at the least weight of all that do', () => {
    const vertices = 7
    const vertex = fc.integer({ min: 0, max: vertices - 1 })
    const networks = fc.record({
      limits: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: vertices, maxLength: vertices }),
      edges: fc.array(fc.tuple(vertex, vertex), { maxLength: 16 }),
      sources: fc.uniqueArray(vertex, { minLength: 1, maxLength: 2 }),
      sinks: fc.uniqueArray(vertex, { minLength: 1, maxLength: 2 })
    })
    fc.assert(
      fc.property(networks, network => {
        const found = new Set(minimumCut(network))
        assert.ok(!leaks(network, found))
        for (let subset = 0; subset < 1 << vertices; subset++) {
          const cut = new Set([...Array(vertices).keys()].filter(v => (subset >> v) & 1))
          if (weight(cut, network) < weight(found, network)) assert.ok(leaks(network, cut))
        }
      }),
      { numRuns: 200 }
    )
  })
})
