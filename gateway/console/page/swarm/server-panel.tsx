// Everything that is known of one server, and its last hour.
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { getJson, sentenceOf } from '../api.ts'
import { bytesText, durationText, numberText, timeText } from '../format.ts'
import { Chart } from '../parts/chart.tsx'
import { Button, Failure } from '../parts/controls.tsx'
import { StateMark } from './map.tsx'
import { blocksText, nameOf, type Server, type ServerHistory, states } from './types.ts'

interface ServerPanelProps {
  readonly server: Server
  readonly model: string
  /** of the model */
  readonly encoderBlocks?: number
  /** all servers of the swarm, to name those at the other end of a round trip */
  readonly servers: readonly Server[]
  /** changes with each look at the swarm */
  readonly at: number
  readonly onClose: () => void
}

/** the history is asked for again after this time, in milliseconds */
const everyMs = 10_000

export function ServerPanel({ server, model, encoderBlocks, servers, at, onClose }: ServerPanelProps): JSX.Element {
  const { peerId, load } = server
  const [history, setHistory] = useState<ServerHistory | null>(null)
  const [failure, setFailure] = useState<string | null>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const due = Math.floor(at / everyMs)
  useEffect(() => {
    const leaving = new AbortController()
    getJson<ServerHistory>(`/console/api/swarm/history/${encodeURIComponent(peerId)}`, leaving.signal).then(
      found => {
        setHistory(found)
        setFailure(null)
      },
      (error: unknown) => {
        if (!leaving.signal.aborted) setFailure(sentenceOf(error))
      }
    )
    return () => leaving.abort()
  }, [peerId, due])
  useEffect(() => heading.current?.focus(), [peerId])
  const nameOfPeer = (id: string): string => {
    const found = servers.find(each => each.peerId === id)
    return found ? nameOf(found) : `…${id.slice(-8)}`
  }
  const facts: readonly (readonly [string, JSX.Element | string])[] = [
    ['State', <StateMark key="state" state={server.state} />],
    ['Model', model],
    ['Blocks', `${blocksText(server.blocks, encoderBlocks)} (${server.blocks.end - server.blocks.first})`],
    ['Precision', server.dtype],
    ['Device', server.device ?? 'not announced'],
    ['Region', server.region ?? 'not announced'],
    ['Version', server.version],
    ['Decode', server.decodeRate === 0 ? 'none' : `${numberText(server.decodeRate)} steps/s through one block`],
    ['Forward', `${numberText(server.forwardRate)} tokens/s through one block`],
    ['Waiting time', `${durationText(server.queueMs)} decode, ${durationText(server.trainingQueueMs)} training`],
    ['Queue', load === null ? 'no answer' : `${load.queueLength} requests`],
    ['Sessions', load === null ? 'no answer' : `${load.sessions}`],
    [
      'KV cache',
      load === null
        ? `${bytesText(server.cacheBytesFree)} free, as announced`
        : `${bytesText(load.cacheBytesUsed)} of ${bytesText(load.cacheBytesTotal)}`
    ],
    [
      'Kept activations',
      load === null ? 'no answer' : `${bytesText(load.residualBytesUsed)} of ${bytesText(load.residualBytesTotal)}`
    ],
    ['Round trip from here', server.roundTripMs === null ? 'no answer' : durationText(server.roundTripMs)],
    [
      'Round trips to others',
      server.trips.length === 0
        ? 'none announced'
        : server.trips.map(({ peerId: to, ms }) => `${nameOfPeer(to)} ${durationText(ms)}`).join(', ')
    ],
    ['Address', server.address ?? 'none that can be dialed'],
    ['Peer id', peerId],
    ['Last seen', timeText(server.seen)]
  ]
  return (
    <section class="card stack" aria-label={`Server ${nameOf(server)}`}>
      <div class="row spread">
        <h2 tabIndex={-1} ref={heading}>
          {nameOf(server)}
        </h2>
        <Button icon="close" name="Close the server" look="quiet" onClick={onClose} />
      </div>
      <p class="help">{states[server.state].help}</p>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {failure !== null && <Failure text={failure} />}
      {history !== null && history.times.length > 1 ? (
        <div class="charts">
          <Chart
            title="Load, last hour"
            isTime
            isCount
            height={150}
            x={history.times}
            curves={[
              { label: 'queue', values: history.queue, hue: 1 },
              { label: 'sessions', values: history.sessions, hue: 2, look: 'dashed' }
            ]}
          />
          <Chart
            title="KV cache in use"
            isTime
            height={150}
            x={history.times}
            curves={[{ label: 'share', values: history.cache, hue: 3 }]}
            format={share => `${Math.round(share * 100)} %`}
          />
          <Chart
            title="Round trip from here"
            isTime
            height={150}
            x={history.times}
            curves={[{ label: 'round trip', values: history.roundTripMs, hue: 4 }]}
            format={durationText}
          />
          <Chart
            title="Decode steps per second"
            isTime
            height={150}
            x={history.times}
            curves={[{ label: 'steps/s', values: history.decodeRate, hue: 1 }]}
          />
        </div>
      ) : (
        <p class="help">The curves appear after a few looks at the swarm.</p>
      )}
    </section>
  )
}
