// Light or dark: as the system has it, or as the reader has switched it.
import { createStore } from './store.ts'

export type Theme = 'system' | 'light' | 'dark'

const name = 'swarmtune.theme'
const stored = localStorage.getItem(name)
const dark = matchMedia('(prefers-color-scheme: dark)')

export const theme = createStore<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system')

/** Grows with each change of colours: charts are drawn on a canvas, which styles do not reach. */
export const palette = createStore(0)

function apply(): void {
  const chosen = theme.get()
  if (chosen === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = chosen
  palette.set(palette.get() + 1)
}

theme.subscribe(chosen => {
  if (chosen === 'system') localStorage.removeItem(name)
  else localStorage.setItem(name, chosen)
  apply()
})
dark.addEventListener('change', apply)
apply()

/** A colour of the stylesheet, as it is now: `--accent`. */
export function colour(variable: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${variable})`
  document.body.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}
