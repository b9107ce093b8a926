import type { JSX } from 'preact'

export function TuningPage(): JSX.Element {
  return (
    <div class="pad">
      <h1>Tuning</h1>
    </div>
  )
}
