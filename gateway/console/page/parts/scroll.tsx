// A wide table or a long list that scrolls by itself, with the keyboard too.
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
