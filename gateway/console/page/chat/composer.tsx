// Where a person writes: the next turn at the end of a conversation, or an earlier one in its place.
import type { JSX, RefObject } from 'preact'
import { useState } from 'preact/hooks'
import { Button } from '../parts/controls.tsx'
import type { Conversation } from './conversation.ts'

interface ComposerProps {
  readonly mode: Conversation['mode']
  /** an answer is being written: it can be stopped, and nothing can be sent */
  readonly busy: boolean
  readonly area: RefObject<HTMLTextAreaElement | null>
  readonly onSend: (text: string) => void
  readonly onStop: () => void
}

export function Composer({ mode, busy, area, onSend, onStop }: ComposerProps): JSX.Element {
  const [draft, setDraft] = useState('')
  const name = mode === 'chat' ? 'Message' : 'Text to continue'
  return (
    <form
      class="composer"
      onSubmit={event => {
        event.preventDefault()
        if (draft.trim() === '' || busy) return
        onSend(draft)
        setDraft('')
      }}
    >
      <label class="unseen" for="composer">
        {name}
      </label>
      <textarea
        id="composer"
        ref={area}
        rows={Math.min(8, draft.split('\n').length)}
        placeholder={name}
        value={draft}
        onInput={event => setDraft(event.currentTarget.value)}
        onKeyDown={event => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault()
            event.currentTarget.form?.requestSubmit()
          }
        }}
      />
      {busy ? (
        <Button icon="stop" name="Stop" look="primary" onClick={onStop} />
      ) : (
        <Button type="submit" icon="send" name="Send" look="primary" disabled={draft.trim() === ''} />
      )}
    </form>
  )
}

/** Puts the cursor where the reader goes on writing. */
function focusOnce(element: HTMLElement | null): void {
  element?.focus()
}

interface TurnEditorProps {
  /** of the turn, before it is edited */
  readonly text: string
  readonly busy: boolean
  readonly isLast: boolean
  readonly onText: (text: string) => void
  readonly onCancel: () => void
}

export function TurnEditor({ text, busy, isLast, onText, onCancel }: TurnEditorProps): JSX.Element {
  const [draft, setDraft] = useState(text)
  return (
    <form
      class="edit stack"
      onSubmit={event => {
        event.preventDefault()
        onText(draft)
      }}
    >
      <textarea
        aria-label="Edit the message"
        rows={3}
        value={draft}
        ref={focusOnce}
        onInput={event => setDraft(event.currentTarget.value)}
        onKeyDown={event => {
          if (event.key === 'Escape') onCancel()
        }}
      />
      <div class="row">
        <Button type="submit" look="primary" disabled={busy}>
          Ask again
        </Button>
        <Button onClick={onCancel}>Cancel</Button>
        {!isLast && <span class="help">The turns after it are removed.</span>}
      </div>
    </form>
  )
}
