// The page: its frame, and which part of it is shown. The part is named by the address' fragment.
import 'uplot/dist/uPlot.min.css'
import './styles.css'
import { type ComponentType, type JSX, render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { apiKey, keyRefused, sentenceOf } from './api.ts'
import { ChatPage } from './chat/page.tsx'
import { KeyPage } from './key-page.tsx'
import { OperatorPage } from './operator/page.tsx'
import { Button, Failure } from './parts/controls.tsx'
import { Icon, type IconName } from './parts/icons.tsx'
import { loadSession, session } from './session.ts'
import { useStore } from './store.ts'
import { SwarmPage } from './swarm/page.tsx'
import { type Theme, theme } from './theme.ts'
import { TuningPage } from './tuning/page.tsx'

interface Part {
  readonly name: string
  readonly title: string
  readonly icon: IconName
  readonly page: ComponentType
  readonly operatorOnly?: boolean
}

const parts: readonly Part[] = [
  { name: 'chat', title: 'Chat', icon: 'chat', page: ChatPage },
  { name: 'swarm', title: 'Swarm', icon: 'swarm', page: SwarmPage },
  { name: 'fine-tuning', title: 'Fine-tuning', icon: 'tune', page: TuningPage },
  { name: 'operator', title: 'Operator', icon: 'operator', page: OperatorPage, operatorOnly: true }
]

const partOf = (hash: string): Part => parts.find(({ name }) => hash.startsWith(`#/${name}`)) ?? parts[0]!

const themes: readonly { readonly name: Theme; readonly icon: IconName }[] = [
  { name: 'system', icon: 'system' },
  { name: 'light', icon: 'light' },
  { name: 'dark', icon: 'dark' }
]

function ThemeSwitch(): JSX.Element {
  const chosen = useStore(theme)
  return (
    <fieldset class="themes">
      <legend class="unseen">Colours</legend>
      {themes.map(({ name, icon }) => (
        <label key={name} title={`Colours: ${name}`}>
          <input
            type="radio"
            name="theme"
            class="unseen"
            checked={chosen === name}
            onChange={() => theme.set(name)}
            aria-label={name}
          />
          <Icon name={icon} />
        </label>
      ))}
    </fieldset>
  )
}

function Frame(): JSX.Element {
  const [part, setPart] = useState(() => partOf(location.hash))
  const [failure, setFailure] = useState<string | null>(null)
  const known = useStore(session)
  const refused = useStore(keyRefused)
  const key = useStore(apiKey)
  const main = useRef<HTMLElement>(null)
  const load = (): void => {
    setFailure(null)
    loadSession().catch((error: unknown) => setFailure(sentenceOf(error)))
  }
  useEffect(load, [])
  useEffect(() => {
    const change = (): void => {
      setPart(partOf(location.hash))
      main.current?.focus({ preventScroll: true })
      scrollTo(0, 0)
    }
    addEventListener('hashchange', change)
    return () => removeEventListener('hashchange', change)
  }, [])
  useEffect(() => {
    document.title = `${part.title} · swarmtune`
  }, [part])
  const shown = parts.filter(({ operatorOnly }) => operatorOnly !== true || known?.isOperator === true)
  const Page = part.page
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="frame">
        <span class="brand">swarmtune</span>
        <nav aria-label="Pages">
          {shown.map(({ name, title, icon }) => (
            <a key={name} href={`#/${name}`} aria-current={name === part.name ? 'page' : undefined}>
              <Icon name={icon} />
              <span>{title}</span>
            </a>
          ))}
        </nav>
        <div class="frame-end">
          {key !== null && (
            <Button
              look="quiet"
              onClick={() => {
                apiKey.set(null)
                keyRefused.set(true)
              }}
            >
              Forget key
            </Button>
          )}
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        {refused ? (
          <KeyPage onKey={load} />
        ) : failure !== null ? (
          <div class="pad">
            <h1>{part.title}</h1>
            <Failure text={failure} onRetry={load} />
          </div>
        ) : known === null ? (
          <p class="pad muted">Asking the gateway…</p>
        ) : (
          <Page />
        )}
      </main>
    </>
  )
}

render(<Frame />, document.getElementById('page')!)
