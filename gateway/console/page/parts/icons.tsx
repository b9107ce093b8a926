// Small pictures, drawn in the colour of the text around them.
import type { JSX } from 'preact'

const paths = {
  swarm: 'M4 6h7v4H4zM13 6h7v4h-7zM4 14h4v4H4zM10 14h10v4H10z',
  chat: 'M4 5h16v11H9l-5 4z',
  tune: 'M4 18l5-7 4 4 7-10',
  operator: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  edit: 'M4 20l1-5L16 4l4 4L9 19z',
  again: 'M19 12a7 7 0 1 1-2-5M19 4v4h-4',
  stop: 'M7 7h10v10H7z',
  send: 'M12 19V5M6 11l6-6 6 6',
  remove: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  add: 'M12 5v14M5 12h14',
  save: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  close: 'M6 6l12 12M18 6L6 18',
  settings: 'M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4',
  columns: 'M4 5h7v14H4zM13 5h7v14h-7z',
  list: 'M5 7h14M5 12h14M5 17h14',
  light: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M6 6l1 1M17 17l1 1M18 6l-1 1M7 17l-1 1',
  dark: 'M19 14A8 8 0 0 1 10 5a7 7 0 1 0 9 9z',
  system: 'M4 5h16v11H4zM9 20h6M12 16v4',
  pause: 'M8 6v12M16 6v12',
  play: 'M8 5l11 7-11 7z'
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  )
}
