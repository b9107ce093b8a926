// The map of a model: its blocks from left to right, a bar for each server.
import type { JSX } from 'preact'
import { bytesText, countText, durationText, numberText } from '../format.ts'
import { Scroll } from '../parts/table.tsx'
import { blocksText, type Model, nameOf, type Server, states } from './types.ts'

/** marks under the map: at most this many */
const mostMarks = 8

function marksOf(total: number): number[] {
  const step = [1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 200, 500, 1000].find(each => total / each <= mostMarks)
  const every = step ?? Math.ceil(total / mostMarks)
  return Array.from({ length: Math.ceil(total / every) }, (_, at) => at * every)
}

export function StateMark({ state }: { readonly state: Server['state'] }): JSX.Element {
  const { shape, text, help } = states[state]
  return (
    <span class="state" data-state={state} title={help}>
      <span aria-hidden="true" class="shape">
        {shape}
      </span>
      {text}
    </span>
  )
}

/** Neighbouring blocks with equally many servers are one stretch. */
function stretches(replicas: readonly number[]): { first: number; end: number; count: number }[] {
  const found: { first: number; end: number; count: number }[] = []
  for (const [block, count] of replicas.entries()) {
    const last = found.at(-1)
    if (last?.count === count) last.end = block + 1
    else found.push({ first: block, end: block + 1, count })
  }
  return found
}

function Track({
  total,
  children
}: {
  readonly total: number
  readonly children: JSX.Element | false | (JSX.Element | false)[]
}): JSX.Element {
  return (
    <svg class="track" viewBox={`0 0 ${total} 10`} preserveAspectRatio="none" aria-hidden="true">
      {children}
    </svg>
  )
}

function Replicas({ model }: { readonly model: Model }): JSX.Element {
  const { totalBlocks, encoderBlocks, replicas } = model
  return (
    <div class="bars replicas" role="img" aria-label={replicasText(replicas, encoderBlocks)}>
      {stretches(replicas).map(({ first, end, count }) => (
        <div
          key={first}
          class="stretch"
          data-count={Math.min(count, 3)}
          style={{ left: `${(100 * first) / totalBlocks}%`, width: `${(100 * (end - first)) / totalBlocks}%` }}
          title={`blocks ${blocksText({ first, end }, encoderBlocks)}: ${count === 0 ? 'no server' : countText(count, 'server')}`}
        >
          <span>{count === 0 ? 'none' : count}</span>
        </div>
      ))}
    </div>
  )
}

const replicasText = (replicas: readonly number[], encoderBlocks?: number): string =>
  stretches(replicas)
    .map(
      stretch =>
        `blocks ${blocksText(stretch, encoderBlocks)}: ${stretch.count === 0 ? 'no server' : countText(stretch.count, 'server')}`
    )
    .join('; ')

function CacheBar({ load }: { readonly load: Server['load'] }): JSX.Element {
  if (load === null || load.cacheBytesTotal === 0) return <span class="muted">–</span>
  const { cacheBytesUsed: used, cacheBytesTotal: total } = load
  const share = Math.round((100 * used) / total)
  return (
    <span class="cache" title={`${bytesText(used)} of ${bytesText(total)}`}>
      <span class="meter" aria-hidden="true">
        <span style={{ width: `${share}%` }} />
      </span>
      {share} %
    </span>
  )
}

interface MapProps {
  readonly model: Model
  /** peer id of the server whose details are shown */
  readonly chosen: string | null
  readonly onChoose: (peerId: string) => void
}

export function SwarmMap({ model, chosen, onChoose }: MapProps): JSX.Element {
  const { totalBlocks, encoderBlocks = 0, servers } = model
  return (
    <Scroll label={`Map of ${model.name}`}>
      <table class="map" aria-label={`Servers of ${model.name}`}>
        <thead>
          <tr>
            <th scope="col">Server</th>
            <th scope="col">State</th>
            <th scope="col" class="blocks">
              <span class="unseen">Blocks</span>
              <span class="marks" aria-hidden="true">
                {marksOf(totalBlocks).map(block => (
                  <span key={block} style={{ left: `${(100 * (block + 0.5)) / totalBlocks}%` }}>
                    {block < encoderBlocks ? block : block - encoderBlocks}
                  </span>
                ))}
              </span>
            </th>
            <th scope="col">Precision</th>
            <th scope="col">Device</th>
            <th scope="col" class="number" title="Decode steps per second through one block">
              Steps/s
            </th>
            <th scope="col" class="number" title="Requests that wait">
              Queue
            </th>
            <th scope="col" class="number" title="Generations that are open">
              Sessions
            </th>
            <th scope="col">Cache</th>
            <th scope="col" class="number">
              Round trip
            </th>
            <th scope="col">Region</th>
            <th scope="col">Version</th>
          </tr>
        </thead>
        <tbody>
          <tr class="sum">
            <th scope="row">Servers of each block</th>
            <td />
            <td class="blocks">
              <Replicas model={model} />
            </td>
            <td colSpan={9} />
          </tr>
          {servers.map(server => {
            const { peerId, blocks, state, dtype, decodeRate, load, roundTripMs, version, region, device } = server
            return (
              <tr
                key={peerId}
                data-state={state}
                class={peerId === chosen ? 'chosen' : ''}
                onClick={() => onChoose(peerId)}
              >
                <th scope="row">
                  <button
                    type="button"
                    class="link cut"
                    aria-expanded={peerId === chosen}
                    title={nameOf(server)}
                    onClick={event => {
                      event.stopPropagation()
                      onChoose(peerId)
                    }}
                  >
                    {nameOf(server)}
                  </button>
                </th>
                <td>
                  <StateMark state={state} />
                </td>
                <td class="blocks">
                  <div class="bars">
                    <Track total={totalBlocks}>
                      <rect x="0" y="4.5" width={totalBlocks} height="1" class="rail" />
                      {encoderBlocks > 0 && encoderBlocks < totalBlocks && (
                        <rect x={encoderBlocks - 0.02} y="0" width="0.04" height="10" class="rail" />
                      )}
                    </Track>
                    <div
                      class="bar-of-server"
                      data-state={state}
                      style={{
                        left: `${(100 * blocks.first) / totalBlocks}%`,
                        width: `${(100 * (blocks.end - blocks.first)) / totalBlocks}%`
                      }}
                    >
                      <span>{blocksText(blocks, encoderBlocks)}</span>
                    </div>
                  </div>
                </td>
                <td>{dtype}</td>
                <td>{device ?? '–'}</td>
                <td class="number">{numberText(decodeRate)}</td>
                <td class="number">{load === null ? '–' : load.queueLength}</td>
                <td class="number">{load === null ? '–' : load.sessions}</td>
                <td>
                  <CacheBar load={load} />
                </td>
                <td class="number">{roundTripMs === null ? '–' : durationText(roundTripMs)}</td>
                <td>{region ?? '–'}</td>
                <td>{version}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Scroll>
  )
}
