// The conversations that this browser keeps: open one, begin one, delete them.
import type { JSX } from 'preact'
import { dateText } from '../format.ts'
import { Button } from '../parts/controls.tsx'
import { type Conversation, titleOf } from './conversation.ts'

interface ConversationListProps {
  readonly all: readonly Conversation[]
  /** id of the one that is shown */
  readonly current: string
  readonly onNew: () => void
  readonly onOpen: (conversation: Conversation) => void
  /** with the ids of those to delete */
  readonly onDelete: (ids: readonly string[]) => void
}

export function ConversationList({ all, current, onNew, onOpen, onDelete }: ConversationListProps): JSX.Element {
  return (
    <aside class="conversations" aria-label="Conversations">
      <Button icon="add" onClick={onNew}>
        New
      </Button>
      <ul>
        {all.map(each => (
          <li key={each.id} class={each.id === current ? 'current' : ''}>
            <button
              type="button"
              class="open"
              aria-current={each.id === current ? 'true' : undefined}
              onClick={() => onOpen(each)}
            >
              <span class="cut">{titleOf(each)}</span>
              <span class="muted small">{dateText(each.changed)}</span>
            </button>
            <Button icon="remove" name={`Delete “${titleOf(each)}”`} look="quiet" onClick={() => onDelete([each.id])} />
          </li>
        ))}
      </ul>
      {all.length > 0 && (
        <Button
          look="quiet"
          onClick={() => {
            if (confirm('Delete all conversations of this browser?')) onDelete([current, ...all.map(({ id }) => id)])
          }}
        >
          Delete all
        </Button>
      )}
      <p class="help">Conversations are kept in this browser only.</p>
    </aside>
  )
}
