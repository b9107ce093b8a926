import type { JSX } from 'preact'

export function OperatorPage(): JSX.Element {
  return (
    <div class="pad">
      <h1>Operator</h1>
    </div>
  )
}
