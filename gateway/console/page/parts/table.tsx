// Wide tables: a place that scrolls by itself, with the keyboard too, and the titles of columns.
import type { ComponentChildren, JSX } from 'preact'

interface ScrollProps {
  readonly label: string
  readonly class?: string
  readonly children: ComponentChildren
}

export function Scroll({ label, class: look = '', children }: ScrollProps): JSX.Element {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls
    <div class={`wide ${look}`} role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  )
}

/** Titles of columns; `number`: aligned as numbers are, `unseen`: for screen readers only. */
interface Column {
  readonly title: string
  readonly look?: 'number' | 'unseen'
}

export function TableHead({ columns }: { readonly columns: readonly (string | Column)[] }): JSX.Element {
  return (
    <thead>
      <tr>
        {columns.map(column => {
          const { title, look }: Column = typeof column === 'string' ? { title: column } : column
          return (
            <th key={title} scope="col" class={look === 'number' ? look : undefined}>
              {look === 'unseen' ? <span class="unseen">{title}</span> : title}
            </th>
          )
        })}
      </tr>
    </thead>
  )
}
