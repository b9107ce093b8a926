// Reads streamed text to screen readers, a sentence at a time: a region that changes with each token cannot be followed.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** sentences that the region keeps */
const mostLines = 20

interface AnnouncerProps {
  /** the text so far; it only grows while `id` is the same */
  readonly text: string
  readonly id: string
  readonly ended: boolean
}

export function Announcer({ text, id, ended }: AnnouncerProps): JSX.Element {
  const region = useRef<HTMLDivElement>(null)
  const said = useRef({ id: '', characters: 0 })
  useEffect(() => {
    // what was there when the page was opened is no news
    if (said.current.id !== id) said.current = { id, characters: ended ? text.length : 0 }
    const fresh = text.slice(said.current.characters)
    const end = ended ? fresh.length : Math.max(...['. ', '? ', '! ', '\n'].map(mark => fresh.lastIndexOf(mark) + 1))
    const sentences = fresh.slice(0, end).trim()
    if (end > 0) said.current.characters += end
    if (sentences === '') return
    const line = document.createElement('p')
    line.textContent = sentences
    region.current?.append(line)
    while ((region.current?.childElementCount ?? 0) > mostLines) region.current?.firstElementChild?.remove()
  }, [text, id, ended])
  return <div class="unseen" role="log" aria-live="polite" aria-label="Answer" ref={region} />
}
