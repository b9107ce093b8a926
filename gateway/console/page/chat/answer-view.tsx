// One answer: thoughts, text, what it measured, and what can be done with it.
import type { JSX } from 'preact'
import { durationText, numberText } from '../format.ts'
import { Button } from '../parts/controls.tsx'
import { Markdown } from '../parts/markdown.tsx'
import type { Answer } from './conversation.ts'

const endings: Readonly<Record<string, string>> = {
  length: 'ended at the token limit',
  content_filter: 'ended by a filter',
  tool_calls: 'ended with a tool call'
}

/** `12.3 tokens/s · first after 210 ms · 48 tokens` */
function measures({ stats, finish, state }: Answer): string {
  const parts: string[] = []
  if (stats !== undefined) {
    const { firstMs, restMs, completionTokens } = stats
    if (completionTokens !== undefined) {
      if (restMs > 0 && completionTokens > 1)
        parts.push(`${numberText((completionTokens - 1) / (restMs / 1000))} tokens/s`)
      parts.push(`${completionTokens.toLocaleString('en')} tokens`)
    }
    parts.push(`first after ${durationText(firstMs)}`)
  }
  if (state === 'stopped') parts.push('stopped')
  else if (finish !== undefined && endings[finish] !== undefined) parts.push(endings[finish])
  return parts.join(' · ')
}

interface AnswerViewProps {
  readonly answer: Answer
  readonly mode: 'chat' | 'complete'
  /** the continued text, of a completion */
  readonly prompt: string
  /** shown where several answer side by side */
  readonly named: boolean
  readonly busy: boolean
  readonly onAgain: () => void
  readonly onContinue?: () => void
}

export function AnswerView(props: AnswerViewProps): JSX.Element {
  const { answer, mode, prompt, named, busy, onAgain, onContinue } = props
  const { text, thoughts, state, failure, model } = answer
  const running = state === 'running'
  return (
    <article class="answer" aria-busy={running} aria-label={`Answer of ${model}`} data-state={state}>
      {named && <div class="who">{model}</div>}
      {thoughts !== '' && (
        <details class="thoughts">
          <summary>{running && text === '' ? 'Thinking…' : 'Thoughts'}</summary>
          <div class="plain">{thoughts}</div>
        </details>
      )}
      {mode === 'chat' ? (
        <Markdown source={text} />
      ) : (
        <div class="plain continued">
          <span class="prompt">{prompt}</span>
          <span class="continuation">{text}</span>
        </div>
      )}
      {running && (
        <span class="caret" role="img" aria-label="The answer is being written">
          <span />
        </span>
      )}
      {failure !== undefined && (
        <div class="notice failure" role="alert">
          <p>{failure}</p>
        </div>
      )}
      {!running && (
        <div class="answer-tools">
          <Button
            icon="copy"
            name="Copy this answer"
            look="quiet"
            onClick={() => void navigator.clipboard.writeText(text)}
          />
          <Button icon="again" name="Answer again" look="quiet" disabled={busy} onClick={onAgain} />
          {onContinue && (
            <Button look="quiet" onClick={onContinue}>
              Continue from here
            </Button>
          )}
          <span class="measures">{measures(answer)}</span>
        </div>
      )}
    </article>
  )
}
