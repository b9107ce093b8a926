// Keys: made, shown once, revoked.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Key } from '../../operator-schema.ts'
import { send, sentenceOf } from '../api.ts'
import { dateText } from '../format.ts'
import { Button, Failure, Field, Notice, NumberField } from '../parts/controls.tsx'
import { usePolled } from '../parts/poll.ts'
import { Scroll, TableHead } from '../parts/table.tsx'

function NewKey({ onMade }: { readonly onMade: () => void }): JSX.Element {
  const [name, setName] = useState('')
  const [requests, setRequests] = useState<number>()
  const [tokens, setTokens] = useState<number>()
  const [isOperator, setIsOperator] = useState(false)
  const [made, setMade] = useState<{ readonly key: string; readonly name: string } | null>(null)
  const [failure, setFailure] = useState<string | null>(null)
  return (
    <form
      class="stack"
      onSubmit={event => {
        event.preventDefault()
        setFailure(null)
        const limits = { requestsPerMinute: requests, tokensPerMinute: tokens }
        send<{ key: string }>('POST', '/console/api/keys', { name, operator: isOperator, ...limits }).then(
          ({ key }) => {
            setMade({ key, name })
            setName('')
            onMade()
          },
          (error: unknown) => setFailure(sentenceOf(error))
        )
      }}
    >
      <div class="pairs">
        <Field label="Name" help="Whose key it is">
          {(id, describedBy) => (
            <input
              id={id}
              aria-describedby={describedBy}
              value={name}
              maxLength={100}
              onInput={event => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <NumberField
          label="Requests a minute"
          min={1}
          step={1}
          placeholder="default"
          value={requests}
          onValue={setRequests}
        />
        <NumberField
          label="Tokens a minute"
          min={1}
          step={1}
          placeholder="default"
          value={tokens}
          onValue={setTokens}
        />
      </div>
      <label class="check">
        <input type="checkbox" checked={isOperator} onChange={event => setIsOperator(event.currentTarget.checked)} />
        Operator: the key also shows this page
      </label>
      <div>
        <Button type="submit" icon="add" look="primary" disabled={name.trim() === ''}>
          Create a key
        </Button>
      </div>
      {failure !== null && <Failure text={failure} />}
      <div role="status">
        {made !== null && (
          <div class="notice">
            <p>The key of {made.name}. Copy it now: it is not shown again.</p>
            <div class="row wrap">
              <code class="secret">{made.key}</code>
              <Button icon="copy" onClick={() => void navigator.clipboard.writeText(made.key)}>
                Copy
              </Button>
              <Button look="quiet" onClick={() => setMade(null)}>
                Done
              </Button>
            </div>
          </div>
        )}
      </div>
    </form>
  )
}

export function Keys(): JSX.Element {
  const { found, failure, again } = usePolled<{ needed: boolean; keys: Key[] }>('/console/api/keys')
  const [refused, setRefused] = useState<string | null>(null)
  const revoke = ({ id, name }: Key): void => {
    if (!confirm(`Revoke the key “${name}”? Programs that use it are refused at once.`)) return
    send('DELETE', `/console/api/keys/${id}`).then(
      () => {
        setRefused(null)
        again()
      },
      (error: unknown) => setRefused(sentenceOf(error))
    )
  }
  return (
    <section class="card stack" aria-label="Keys">
      <h2>Keys</h2>
      {found?.needed === false && (
        <Notice>This gateway asks for no key. Start it with --host and keys to let other machines in.</Notice>
      )}
      {failure !== null && <Failure text={failure} onRetry={again} />}
      {refused !== null && <Failure text={refused} />}
      {found !== null && found.keys.length > 0 && (
        <Scroll label="Table of keys">
          <table>
            <TableHead
              columns={[
                'Name',
                'Id',
                'State',
                'Limits a minute',
                'Created',
                'Last used',
                { title: 'Revoke', look: 'unseen' }
              ]}
            />
            <tbody>
              {found.keys.map(key => {
                const { id, name, revoked, created, lastUsed, operator, requestsPerMinute, tokensPerMinute } = key
                const limits = [
                  ...(requestsPerMinute === null ? [] : [`${requestsPerMinute.toLocaleString('en')} requests`]),
                  ...(tokensPerMinute === null ? [] : [`${tokensPerMinute.toLocaleString('en')} tokens`])
                ]
                return (
                  <tr key={id} class={revoked === null ? '' : 'muted'}>
                    <td>{name}</td>
                    <td class="mono">{id}</td>
                    <td>{revoked === null ? (operator ? '● operator' : '● valid') : '✕ revoked'}</td>
                    <td>{limits.length === 0 ? 'as the gateway' : limits.join(', ')}</td>
                    <td>{dateText(created * 1000)}</td>
                    <td>{lastUsed === null ? 'never' : dateText(lastUsed * 1000)}</td>
                    <td class="number">
                      {revoked === null && (
                        <Button look="danger" onClick={() => revoke(key)} aria-label={`Revoke ${name}`}>
                          Revoke
                        </Button>
                      )}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </Scroll>
      )}
      <NewKey onMade={again} />
    </section>
  )
}
