// Asks for a key where the gateway wants one.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { apiKey, keyRefused } from './api.ts'
import { Button, Field } from './parts/controls.tsx'

export function KeyPage({ onKey }: { readonly onKey: () => void }): JSX.Element {
  const [text, setText] = useState('')
  const wasRefused = apiKey.get() !== null
  return (
    <form
      class="pad narrow stack"
      onSubmit={event => {
        event.preventDefault()
        if (text.trim() === '') return
        apiKey.set(text.trim())
        keyRefused.set(false)
        onKey()
      }}
    >
      <h1>Key</h1>
      <p>
        This gateway answers only with a key. The operator makes one with <code>swarm api keys create</code>.
      </p>
      {wasRefused && (
        <p class="notice failure" role="alert">
          The gateway refused this key. Check that it is whole and that nobody has revoked it.
        </p>
      )}
      <Field label="Key" help="The key stays in this tab and is forgotten when you close it.">
        {(id, describedBy) => (
          <input
            id={id}
            aria-describedby={describedBy}
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={text}
            onInput={event => setText(event.currentTarget.value)}
          />
        )}
      </Field>
      <div>
        <Button type="submit" look="primary">
          Open
        </Button>
      </div>
    </form>
  )
}
