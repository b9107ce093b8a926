// The chat: conversations at the left, one of them in the middle, its settings at the right.
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Announcer } from '../parts/announcer.tsx'
import { Button, Notice } from '../parts/controls.tsx'
import { Icon } from '../parts/icons.tsx'
import { type PageModel, session } from '../session.ts'
import { useStore } from '../store.ts'
import { AnswerView } from './answer-view.tsx'
import { ask } from './ask.ts'
import { Composer, TurnEditor } from './composer.tsx'
import {
  type Answer,
  type Conversation,
  loadConversations,
  newConversation,
  saveConversations,
  type Turn
} from './conversation.ts'
import { ConversationList } from './conversation-list.tsx'
import { ModelPicker } from './model-picker.tsx'
import { SettingsPanel } from './settings-panel.tsx'

/** `#/chat?model=a&beside=b` opens a new conversation with these models. */
function askedLanes(models: readonly PageModel[]): string[] | null {
  const [, query] = location.hash.split('?')
  if (query === undefined) return null
  const wanted = new URLSearchParams(query)
  const lanes = ['model', 'beside'].flatMap(name => wanted.get(name) ?? [])
  return lanes.length > 0 && lanes.every(id => models.some(model => model.id === id)) ? lanes : null
}

const modeOf = (lanes: readonly string[], models: readonly PageModel[]): Conversation['mode'] =>
  lanes.every(id => models.find(model => model.id === id)?.hasChatTemplate !== false) ? 'chat' : 'complete'

export function ChatPage(): JSX.Element {
  const { models } = useStore(session)!
  const fresh = (lanes: readonly string[] = models.slice(0, 1).map(({ id }) => id)): Conversation =>
    newConversation(lanes, modeOf(lanes, models))
  const [all, setAll] = useState<readonly Conversation[]>(loadConversations)
  const [current, setCurrent] = useState<Conversation>(() => fresh(askedLanes(models) ?? undefined))
  /** index of the turn that is being edited */
  const [editing, setEditing] = useState<number | null>(null)
  const [hasSettings, setHasSettings] = useState(false)
  const [hasList, setHasList] = useState(false)
  const [stops, setStops] = useState<ReadonlyMap<string, AbortController>>(new Map())
  /** what streams write to, between two draws */
  const latest = useRef(current)
  const end = useRef<HTMLDivElement>(null)
  const composer = useRef<HTMLTextAreaElement>(null)
  const busy = stops.size > 0

  const keep = (conversation: Conversation): void => {
    latest.current = conversation
    setCurrent(conversation)
  }
  const change = (more: Partial<Conversation>): void => keep({ ...latest.current, changed: Date.now(), ...more })

  const store = (): void => {
    const { id } = latest.current
    setAll(known => {
      const next = [latest.current, ...known.filter(each => each.id !== id)]
      saveConversations(next)
      return next.filter(({ turns }) => turns.length > 0)
    })
  }

  const stopAll = (): void => {
    for (const stop of stops.values()) stop.abort()
  }
  // a page that is left asks for nothing more
  const running = useRef(stops)
  running.current = stops
  useEffect(
    () => () => {
      for (const stop of running.current.values()) stop.abort()
    },
    []
  )

  /** Asks the lanes for the answers of a turn. */
  const run = (turn: number, lanes: readonly number[]): void => {
    const asked = latest.current
    for (const lane of lanes) {
      const name = `${turn}/${lane}`
      const stop = new AbortController()
      setStops(known => new Map([...known, [name, stop]]))
      void ask(asked, { lane, turn, signal: stop.signal }, answer => {
        if (latest.current.id !== asked.id) return
        const turns = latest.current.turns.map((each, at): Turn => {
          if (at !== turn) return each
          return { ...each, answers: asked.lanes.map((_, i) => (i === lane ? answer : (each.answers[i] ?? null))) }
        })
        change({ turns })
      }).then(() => {
        setStops(known => new Map([...known].filter(([each]) => each !== name)))
        if (latest.current.id === asked.id) store()
      })
    }
  }

  /** Writes a turn and forgets those after it. */
  const submit = (text: string, at = current.turns.length): void => {
    if (text.trim() === '' || busy) return
    change({ turns: [...current.turns.slice(0, at), { text, answers: current.lanes.map(() => null) }] })
    store()
    run(
      at,
      current.lanes.map((_, lane) => lane)
    )
  }

  const open = (conversation: Conversation): void => {
    stopAll()
    setEditing(null)
    setHasList(false)
    keep(conversation)
    composer.current?.focus()
  }

  const setLanes = (lanes: readonly string[]): void => {
    const mode = modeOf(lanes, models)
    // answers of a chat are no continuation of a text
    if (mode !== current.mode && current.turns.length > 0) open({ ...fresh(lanes), settings: current.settings })
    else change({ lanes, mode })
  }

  useEffect(() => {
    const asked = (): void => {
      const lanes = askedLanes(models)
      if (lanes !== null) open(fresh(lanes))
    }
    addEventListener('hashchange', asked)
    return () => removeEventListener('hashchange', asked)
  }, [models])

  const lastText = current.turns.at(-1)?.answers[0]?.text ?? ''
  const isNear = useRef(true)
  useEffect(() => {
    const track = (): void => {
      isNear.current = innerHeight + scrollY > document.documentElement.scrollHeight - 160
    }
    addEventListener('scroll', track, { passive: true })
    return () => removeEventListener('scroll', track)
  }, [])
  useEffect(() => {
    // a reader who has scrolled up is left there
    if (isNear.current) end.current?.scrollIntoView({ block: 'end' })
  }, [current.turns.length, lastText])

  const { mode, lanes, turns } = current
  const spoken: Answer | null | undefined = turns.at(-1)?.answers[0]
  if (models.length === 0) {
    return (
      <div class="pad">
        <h1>Chat</h1>
        <Notice>This gateway serves no model yet. Start it with one: swarm api MODEL.</Notice>
      </div>
    )
  }
  return (
    <div class={`chat ${hasSettings ? 'with-settings' : ''} ${hasList ? 'with-list' : ''}`}>
      <h1 class="unseen">Chat</h1>
      <ConversationList
        all={all}
        current={current.id}
        onNew={() => open(fresh(current.lanes))}
        onOpen={open}
        onDelete={gone => {
          const rest = all.filter(({ id }) => !gone.includes(id))
          setAll(rest)
          saveConversations(rest)
          if (gone.includes(current.id)) open(fresh(current.lanes))
        }}
      />
      <section class="thread" aria-label="Conversation">
        <div class="bar row wrap">
          <Button
            icon="list"
            name="Conversations"
            look="quiet"
            aria-expanded={hasList}
            onClick={() => setHasList(!hasList)}
          />
          {lanes.map((id, lane) => (
            <ModelPicker
              key={lane}
              models={models}
              value={id}
              side={lanes.length > 1 ? ['left', 'right'][lane] : undefined}
              onValue={chosen => setLanes(lanes.with(lane, chosen))}
            />
          ))}
          <span class="grow" />
          {mode === 'complete' && (
            <span class="tag" title="A base model continues a text. It has no chat template.">
              complete
            </span>
          )}
          <Button
            icon="columns"
            look="quiet"
            aria-pressed={lanes.length > 1}
            name="Two models side by side"
            disabled={busy}
            onClick={() => {
              if (lanes.length > 1) setLanes(lanes.slice(0, 1))
              else {
                const base = models.find(({ id }) => id === lanes[0])?.baseId
                const other = base ?? models.find(({ id }) => id !== lanes[0])?.id ?? lanes[0]!
                setLanes([lanes[0]!, other])
              }
            }}
          />
          <Button
            icon="settings"
            name="Settings"
            look="quiet"
            aria-expanded={hasSettings}
            onClick={() => setHasSettings(!hasSettings)}
          />
        </div>
        <div class="turns">
          {turns.length === 0 && (
            <div class="empty">
              <Icon name="chat" />
              <p>
                {mode === 'chat'
                  ? 'Write a message below. The swarm answers.'
                  : 'This model has no chat template. Write the beginning of a text, and it continues.'}
              </p>
            </div>
          )}
          {turns.map((turn, at) => (
            <div class="turn" key={`${current.id}/${at}`}>
              {editing === at ? (
                <TurnEditor
                  text={turn.text}
                  busy={busy}
                  isLast={at === turns.length - 1}
                  onText={text => {
                    setEditing(null)
                    submit(text, at)
                  }}
                  onCancel={() => setEditing(null)}
                />
              ) : (
                <div class="said">
                  {mode === 'chat' && <div class="bubble plain">{turn.text}</div>}
                  <Button
                    icon="edit"
                    name="Edit this message"
                    look="quiet"
                    disabled={busy}
                    onClick={() => setEditing(at)}
                  />
                </div>
              )}
              <div class="lanes" data-lanes={lanes.length}>
                {lanes.map((id, lane) => {
                  const answer = turn.answers[lane]
                  return answer ? (
                    <AnswerView
                      key={lane}
                      answer={answer}
                      mode={mode}
                      prompt={turn.text}
                      named={lanes.length > 1}
                      busy={busy}
                      onAgain={() => {
                        change({ turns: latest.current.turns.slice(0, at + 1) })
                        run(at, [lane])
                      }}
                      onContinue={
                        mode === 'complete' && answer.state !== 'failed'
                          ? () => submit(turn.text + answer.text)
                          : undefined
                      }
                    />
                  ) : (
                    <div class="answer muted" key={lane}>
                      {lanes.length > 1 && <div class="who">{id}</div>}
                      <span>No answer yet.</span>
                    </div>
                  )
                })}
              </div>
            </div>
          ))}
          <div ref={end} />
        </div>
        <Composer mode={mode} busy={busy} area={composer} onSend={text => submit(text)} onStop={stopAll} />
        <Announcer id={`${current.id}/${turns.length}`} text={spoken?.text ?? ''} ended={spoken?.state !== 'running'} />
      </section>
      {hasSettings && (
        <SettingsPanel
          conversation={current}
          onSettings={settings => {
            change({ settings })
            if (turns.length > 0) store()
          }}
          onClose={() => setHasSettings(false)}
        />
      )}
    </div>
  )
}
