// Buttons, fields and messages that all pages share.
import type { ButtonHTMLAttributes, ComponentChildren, JSX } from 'preact'
import { useId } from 'preact/hooks'
import { Icon, type IconName } from './icons.tsx'

interface ButtonProps extends Omit<ButtonHTMLAttributes, 'icon' | 'name'> {
  readonly icon?: IconName
  /** what a button without text is called */
  readonly name?: string
  readonly look?: 'primary' | 'quiet' | 'danger'
  readonly children?: ComponentChildren
}

export function Button({ icon, name, look, children, ...rest }: ButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class={['button', look ?? '', children === undefined ? 'bare' : ''].join(' ')}
      aria-label={children === undefined ? name : undefined}
      title={name}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

interface FieldProps {
  readonly label: string
  /** one sentence below the field */
  readonly help?: ComponentChildren
  readonly children: (id: string, describedBy: string | undefined) => ComponentChildren
}

/** A label, its control, and a sentence of help. */
export function Field({ label, help, children }: FieldProps): JSX.Element {
  const id = useId()
  const helpId = help === undefined ? undefined : `${id}-help`
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, helpId)}
      {help !== undefined && (
        <div class="help" id={helpId}>
          {help}
        </div>
      )}
    </div>
  )
}

interface NumberFieldProps {
  readonly label: string
  readonly help?: ComponentChildren
  readonly value: number | undefined
  readonly min?: number
  readonly max?: number
  readonly step?: number | 'any'
  readonly placeholder?: string
  readonly onValue: (value: number | undefined) => void
}

/** A number; empty is undefined. */
export function NumberField({ label, help, value, onValue, step = 'any', ...rest }: NumberFieldProps): JSX.Element {
  return (
    <Field label={label} help={help}>
      {(id, describedBy) => (
        <input
          id={id}
          aria-describedby={describedBy}
          type="number"
          inputMode="decimal"
          step={step}
          value={value ?? ''}
          onInput={({ currentTarget }) => {
            const { value: text, valueAsNumber } = currentTarget
            onValue(text === '' || Number.isNaN(valueAsNumber) ? undefined : valueAsNumber)
          }}
          {...rest}
        />
      )}
    </Field>
  )
}

interface SelectFieldProps {
  readonly label: string
  readonly help?: ComponentChildren
  readonly value: string
  readonly options: readonly { readonly value: string; readonly text: string }[]
  readonly onValue: (value: string) => void
}

export function SelectField({ label, help, value, options, onValue }: SelectFieldProps): JSX.Element {
  return (
    <Field label={label} help={help}>
      {(id, describedBy) => (
        <select
          id={id}
          aria-describedby={describedBy}
          value={value}
          onChange={({ currentTarget }) => onValue(currentTarget.value)}
        >
          {options.map(option => (
            <option key={option.value} value={option.value} selected={option.value === value}>
              {option.text}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** A failure, and what to do about it. */
export function Failure({ text, onRetry }: { readonly text: string; readonly onRetry?: () => void }): JSX.Element {
  return (
    <div class="notice failure" role="alert">
      <p>{text}</p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  )
}

export function Notice({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <div class="notice">{children}</div>
}
