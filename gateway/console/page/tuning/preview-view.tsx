// What a run would learn: counts, lengths, and examples whose tokens without loss are marked.
import type { JSX } from 'preact'
import { countText, numberText } from '../format.ts'
import { Scroll } from '../parts/table.tsx'
import type { Preview, PreviewToken } from './types.ts'

/** Neighbouring tokens that are learned, or are not. */
function parts(tokens: readonly PreviewToken[]): { readonly text: string; readonly trained: boolean }[] {
  const found: { text: string; trained: boolean }[] = []
  for (const { text, trained } of tokens) {
    const last = found.at(-1)
    if (last?.trained === trained) last.text += text
    else found.push({ text, trained })
  }
  return found
}

function Example({
  tokens,
  number
}: {
  readonly tokens: readonly PreviewToken[]
  readonly number: number
}): JSX.Element {
  const learned = tokens.filter(({ trained }) => trained).length
  return (
    <li class="example">
      <div class="muted small">
        Example {number}: {countText(tokens.length, 'token')}, {learned.toLocaleString('en')} learned
      </div>
      <Scroll class="plain tokens" label={`Tokens of example ${number}`}>
        {parts(tokens).map(({ text, trained }, at) =>
          trained ? (
            <span class="learned" key={at}>
              {text}
            </span>
          ) : (
            <span class="masked" key={at}>
              <span class="unseen">masked: </span>
              {text}
            </span>
          )
        )}
      </Scroll>
    </li>
  )
}

/** Bars of how many examples have how many tokens. */
function Lengths({ preview }: { readonly preview: Preview }): JSX.Element {
  const { lengths, max_length: limit } = preview
  const most = Math.max(1, ...lengths.map(({ count }) => count))
  const described = lengths
    .filter(({ count }) => count > 0)
    .map(({ from, to, count }) => `${from} to ${to - 1} tokens: ${count}`)
    .join('; ')
  return (
    <figure class="lengths">
      <figcaption>Tokens of an example</figcaption>
      <div class="columns-of" role="img" aria-label={`Examples by length. ${described}`}>
        {lengths.map(({ from, to, count }) => (
          <div
            key={from}
            class="column-of"
            data-cut={from >= limit}
            title={`${from} to ${to - 1} tokens: ${countText(count, 'example')}`}
          >
            <div style={{ height: `${(100 * count) / most}%` }} />
          </div>
        ))}
      </div>
      <div class="row spread muted small">
        <span>0</span>
        <span>{(lengths.at(-1)?.to ?? 1) - 1}</span>
      </div>
    </figure>
  )
}

export function PreviewView({ preview }: { readonly preview: Preview }): JSX.Element {
  const { training, validation, too_long: tooLong, max_length: limit, truncates, empty_rows: empty } = preview
  return (
    <div class="stack">
      <div class="figures">
        <Figure name="Examples" value={training.examples.toLocaleString('en')} />
        <Figure name="Tokens" value={training.tokens.toLocaleString('en')} />
        <Figure name="Learned tokens" value={training.trained_tokens.toLocaleString('en')} />
        <Figure
          name="Tokens of an example"
          value={`${training.shortest} · ${training.median} · ${training.longest}`}
          help="shortest, median, longest"
        />
        <Figure name="For evaluation" value={validation === null ? 'none' : validation.examples.toLocaleString('en')} />
        <Figure name="Trained numbers" value={preview.parameters.toLocaleString('en')} />
        <Figure
          name="Steps"
          value={`${preview.steps.toLocaleString('en')}`}
          help={`${numberText(preview.steps_per_epoch)} an epoch`}
        />
      </div>
      {tooLong > 0 && (
        <div class="notice warning" role="status">
          <p>
            {countText(tooLong, 'example')} {tooLong === 1 ? 'has' : 'have'} more than {limit.toLocaleString('en')}{' '}
            tokens.{' '}
            {truncates
              ? 'The run cuts off what is beyond them.'
              : 'The run would fail. Tick “Cut long examples”, raise the most tokens, or shorten them.'}
          </p>
        </div>
      )}
      {empty > 0 && (
        <div class="notice warning">
          <p>
            {countText(empty, 'row')} without text {empty === 1 ? 'is' : 'are'} left out.
          </p>
        </div>
      )}
      <div class="row wrap top">
        <ul class="described small muted">
          {preview.description.map(line => (
            <li key={line}>{line}</li>
          ))}
        </ul>
        <Lengths preview={preview} />
      </div>
      <div class="stack">
        <h3>
          Examples{' '}
          <span class="legend">
            <span class="learned">learned</span> <span class="masked">masked: read, not learned</span>
          </span>
        </h3>
        <ol class="examples">
          {preview.examples.map((tokens, at) => (
            <Example key={at} tokens={tokens} number={at + 1} />
          ))}
        </ol>
      </div>
    </div>
  )
}

export function Figure({
  name,
  value,
  help
}: {
  readonly name: string
  readonly value: string
  readonly help?: string
}): JSX.Element {
  return (
    <div class="figure">
      <div class="muted small">{name}</div>
      <div class="value">{value}</div>
      {help !== undefined && <div class="muted small">{help}</div>}
    </div>
  )
}
