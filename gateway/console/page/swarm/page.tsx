// The swarm, live: each model with its map, the server that was clicked, and the last hour.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { events, getJson, RequestError, sentenceOf } from '../api.ts'
import { countText, timeText } from '../format.ts'
import { Chart } from '../parts/chart.tsx'
import { Failure, Notice } from '../parts/controls.tsx'
import { SwarmMap } from './map.tsx'
import { ServerPanel } from './server-panel.tsx'
import { type Change, type History, nameOf, states, type View } from './types.ts'

/** pause before a stream that broke off is opened again, and between two looks at the history, in milliseconds */
const againMs = 3000
const historyMs = 10_000

interface Live {
  readonly view: View | null
  readonly failure: string | null
}

/** The views that the gateway sends, for as long as the component is there. */
function useLiveView(): Live {
  const [live, setLive] = useState<Live>({ view: null, failure: null })
  useEffect(() => {
    const leaving = new AbortController()
    const { signal } = leaving
    const follow = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          for await (const { event, data } of events('/console/api/swarm/events', signal)) {
            if (event !== 'swarm') continue
            setLive({ view: JSON.parse(data) as View, failure: null })
          }
        } catch (error) {
          if (signal.aborted) return
          setLive(({ view }) => ({ view, failure: sentenceOf(error) }))
          if (error instanceof RequestError && error.status >= 400 && error.status < 500) return
        }
        await new Promise(resolve => setTimeout(resolve, againMs))
      }
    }
    void follow()
    return () => leaving.abort()
  }, [])
  return live
}

function useHistory(): History | null {
  const [history, setHistory] = useState<History | null>(null)
  useEffect(() => {
    const leaving = new AbortController()
    const look = (): void => {
      getJson<History>('/console/api/swarm/history', leaving.signal).then(setHistory, () => undefined)
    }
    look()
    const timer = setInterval(look, historyMs)
    return () => {
      clearInterval(timer)
      leaving.abort()
    }
  }, [])
  return history
}

function changeText({ from, to }: Change): string {
  if (from === null || from === 'gone') return `came, ${states[to].text}`
  if (to === 'gone') return 'left'
  return `${states[from].text} → ${states[to].text}`
}

function Hour({ history }: { readonly history: History }): JSX.Element {
  return (
    <section class="card stack" aria-label="The last hour">
      <h2>The last hour</h2>
      {history.times.length > 1 ? (
        <div class="charts">
          <Chart
            title="Servers online"
            isTime
            isCount
            height={150}
            x={history.times}
            curves={[{ label: 'servers', values: history.online, hue: 1 }]}
          />
          <Chart
            title="Load of all servers"
            isTime
            isCount
            height={150}
            x={history.times}
            curves={[
              { label: 'queue', values: history.queue, hue: 2 },
              { label: 'sessions', values: history.sessions, hue: 3, look: 'dashed' }
            ]}
          />
        </div>
      ) : (
        <p class="help">The curves appear after a few looks at the swarm.</p>
      )}
      {history.changes.length > 0 && (
        <ol class="changes" aria-label="Changes">
          {history.changes.slice(0, 12).map(change => (
            <li key={`${change.at}/${change.peerId}`}>
              <span class="muted mono">{timeText(change.at)}</span> <strong>{nameOf(change)}</strong>{' '}
              {changeText(change)} <span class="muted">({change.model})</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

export function SwarmPage(): JSX.Element {
  const { view, failure } = useLiveView()
  const history = useHistory()
  const [chosen, setChosen] = useState<string | null>(null)
  const servers = view?.models.flatMap(model => model.servers.map(server => ({ server, model }))) ?? []
  const shown = servers.find(({ server }) => server.peerId === chosen)
  const problem = failure ?? view?.failure ?? null
  const online = servers.filter(({ server }) => server.state === 'online').length
  return (
    <div class="pad stack swarm">
      <div class="row spread wrap">
        <h1>Swarm</h1>
        {view !== null && (
          <span class="muted small">
            {countText(online, 'server')} online · seen {timeText(view.at)}
          </span>
        )}
      </div>
      {problem !== null && <Failure text={`The swarm cannot be seen now: ${problem}`} />}
      {view === null && problem === null && <p class="muted">Looking at the swarm…</p>}
      {view !== null && view.models.length === 0 && (
        <Notice>No server is announced in this swarm. Start one: swarm serve MODEL.</Notice>
      )}
      {view?.models.map(model => (
        <section class="card stack model" key={model.identity} aria-label={model.name}>
          <div class="row wrap">
            <h2>{model.name}</h2>
            <span class="muted small">
              {countText(model.totalBlocks, 'block')} · {countText(model.servers.length, 'server')} ·{' '}
              <span class="mono">{model.identity.slice(0, 8)}</span>
            </span>
            <span class="grow" />
            <span class="whole" data-complete={model.complete} role="status">
              {model.complete ? '✓ complete' : '▲ incomplete'}
            </span>
          </div>
          {model.problem && (
            <div class="notice warning">
              <p>{sentenceOf(model.problem.what)}</p>
              <p>{sentenceOf(model.problem.next)}</p>
            </div>
          )}
          <SwarmMap
            model={model}
            chosen={chosen}
            onChoose={peerId => setChosen(known => (known === peerId ? null : peerId))}
          />
        </section>
      ))}
      {shown && view && (
        <ServerPanel
          server={shown.server}
          model={shown.model.name}
          encoderBlocks={shown.model.encoderBlocks}
          servers={servers.map(({ server }) => server)}
          at={view.at}
          onClose={() => setChosen(null)}
        />
      )}
      {history !== null && view !== null && <Hour history={history} />}
    </div>
  )
}
