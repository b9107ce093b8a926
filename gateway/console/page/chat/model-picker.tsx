// Chooses a model and an adapter over it.
import type { JSX } from 'preact'
import { useId } from 'preact/hooks'
import type { PageModel } from '../session.ts'

interface ModelPickerProps {
  readonly models: readonly PageModel[]
  /** id of a base model or of an adapter */
  readonly value: string
  /** `left` and `right` where two answer */
  readonly side?: string
  readonly onValue: (id: string) => void
}

export function ModelPicker({ models, value, side, onValue }: ModelPickerProps): JSX.Element {
  const id = useId()
  const chosen = models.find(model => model.id === value)
  const base = chosen?.baseId ?? value
  const bases = models.filter(({ baseId }) => baseId === null)
  const adapters = models.filter(({ baseId }) => baseId === base)
  const of = side === undefined ? '' : `, ${side}`
  return (
    <div class="picker">
      <label class="unseen" for={`${id}-model`}>{`Model${of}`}</label>
      <select id={`${id}-model`} value={base} onChange={event => onValue(event.currentTarget.value)}>
        {chosen === undefined && <option value={value}>{value} (not served now)</option>}
        {bases.map(model => (
          <option key={model.id} value={model.id} selected={model.id === base}>
            {model.id}
          </option>
        ))}
      </select>
      {adapters.length > 0 && (
        <>
          <label class="unseen" for={`${id}-adapter`}>{`Adapter${of}`}</label>
          <select id={`${id}-adapter`} value={value} onChange={event => onValue(event.currentTarget.value)}>
            <option value={base} selected={value === base}>
              no adapter
            </option>
            {adapters.map(model => (
              <option key={model.id} value={model.id} selected={model.id === value}>
                {model.id}
              </option>
            ))}
          </select>
        </>
      )}
    </div>
  )
}
