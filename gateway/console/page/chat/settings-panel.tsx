// System prompt, sampling, export of a conversation.
import type { JSX } from 'preact'
import { download } from '../format.ts'
import { Button, Field, NumberField } from '../parts/controls.tsx'
import { type ChatSettings, type Conversation, titleOf, toMarkdown, toTrainingRows } from './conversation.ts'

interface NumberSetting {
  readonly name: Exclude<keyof ChatSettings, 'system' | 'stop'>
  readonly label: string
  readonly help?: string
  readonly min?: number
  readonly max?: number
  readonly step?: number
}

const numbers: readonly NumberSetting[] = [
  { name: 'temperature', label: 'Temperature', help: '0 takes the likeliest token', min: 0, max: 2, step: 0.1 },
  { name: 'topP', label: 'Top p', help: 'Smallest set of tokens that reaches p', min: 0, max: 1, step: 0.05 },
  { name: 'topK', label: 'Top k', help: 'The k likeliest tokens', min: 1, step: 1 },
  { name: 'minP', label: 'Min p', help: 'Share of the likeliest token’s probability', min: 0, max: 1, step: 0.01 },
  { name: 'maxTokens', label: 'Most tokens', help: 'Of one answer', min: 1, step: 1 },
  { name: 'seed', label: 'Seed', help: 'The same seed gives the same answer', min: 0, step: 1 },
  { name: 'presencePenalty', label: 'Presence penalty', min: -2, max: 2, step: 0.1 },
  { name: 'frequencyPenalty', label: 'Frequency penalty', min: -2, max: 2, step: 0.1 }
]

interface SettingsPanelProps {
  readonly conversation: Conversation
  readonly onSettings: (settings: ChatSettings) => void
  readonly onClose: () => void
}

export function SettingsPanel({ conversation, onSettings, onClose }: SettingsPanelProps): JSX.Element {
  const { settings, turns, mode } = conversation
  const fileName =
    titleOf(conversation)
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .slice(0, 40) || 'conversation'
  return (
    <aside class="panel stack" aria-label="Settings of this conversation">
      <div class="row spread">
        <h2>Settings</h2>
        <Button icon="close" name="Close the settings" look="quiet" onClick={onClose} />
      </div>
      {mode === 'chat' && (
        <Field label="System prompt" help="The model reads it before the conversation.">
          {(id, describedBy) => (
            <textarea
              id={id}
              aria-describedby={describedBy}
              rows={4}
              value={settings.system ?? ''}
              onInput={event => onSettings({ ...settings, system: event.currentTarget.value })}
            />
          )}
        </Field>
      )}
      <div class="pairs">
        {numbers.map(({ name, ...field }) => (
          <NumberField
            key={name}
            {...field}
            value={settings[name]}
            placeholder="default"
            onValue={value => onSettings({ ...settings, [name]: value })}
          />
        ))}
      </div>
      <Field label="Stop texts" help="One a line. The answer ends before the first of them.">
        {(id, describedBy) => (
          <textarea
            id={id}
            aria-describedby={describedBy}
            rows={2}
            value={settings.stop ?? ''}
            onInput={event => onSettings({ ...settings, stop: event.currentTarget.value })}
          />
        )}
      </Field>
      <div class="row wrap">
        <Button disabled={Object.values(settings).every(value => value === undefined)} onClick={() => onSettings({})}>
          Reset to defaults
        </Button>
      </div>
      <h2>Export</h2>
      <p class="help">The JSONL holds rows that swarm train reads.</p>
      <div class="row wrap">
        <Button
          icon="save"
          disabled={turns.length === 0}
          onClick={() => download(`${fileName}.jsonl`, toTrainingRows(conversation), 'application/jsonl')}
        >
          JSONL
        </Button>
        <Button
          icon="save"
          disabled={turns.length === 0}
          onClick={() => download(`${fileName}.md`, toMarkdown(conversation), 'text/markdown')}
        >
          Markdown
        </Button>
      </div>
    </aside>
  )
}
