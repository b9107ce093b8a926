// Markdown of a model, which is hostile text: what is drawn is only what the list below names.
import DOMPurify, { type Config } from 'dompurify'
import { Marked, type Tokens } from 'marked'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** no pictures, since their addresses tell others what the model wrote; no forms, styles or frames */
const allowed: Config & { RETURN_DOM_FRAGMENT: true } = {
  ALLOWED_TAGS: [
    ...['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'blockquote', 'pre', 'code'],
    ...['strong', 'em', 'del', 'a', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'sub', 'sup']
  ],
  ALLOWED_ATTR: ['href', 'title', 'start', 'align'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    // tags that a model writes are part of its text; a line break is all that tables need
    html: ({ text }: Tokens.HTML | Tokens.Tag) => (/^<br\s*\/?>$/i.test(text.trim()) ? '<br>' : escaped(text)),
    // a picture is loaded only by a reader who follows its link
    image: ({ href, text }: Tokens.Image) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`
  }
})

function codeTools(pre: HTMLPreElement): HTMLElement {
  const frame = document.createElement('div')
  frame.className = 'code'
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'button quiet copy'
  button.textContent = 'Copy'
  button.addEventListener('click', () => {
    navigator.clipboard.writeText(pre.textContent ?? '').then(
      () => {
        button.textContent = 'Copied'
        setTimeout(() => (button.textContent = 'Copy'), 1500)
      },
      () => {
        button.textContent = 'Select the text to copy it'
      }
    )
  })
  pre.tabIndex = 0
  pre.setAttribute('aria-label', 'Code')
  pre.setAttribute('role', 'group')
  frame.append(button)
  return frame
}

/** Headings of an answer are below those of the page. */
function lowerHeadings(fragment: DocumentFragment): void {
  for (const heading of fragment.querySelectorAll('h1,h2,h3,h4,h5,h6')) {
    const level = Math.min(6, Number(heading.tagName[1]) + 2)
    const lower = document.createElement(`h${level}`)
    lower.append(...heading.childNodes)
    heading.replaceWith(lower)
  }
}

function rendered(source: string): DocumentFragment {
  const html = marked.parse(source, { async: false })
  const fragment = DOMPurify.sanitize(html, allowed)
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank'
    link.rel = 'noopener noreferrer nofollow'
  }
  lowerHeadings(fragment)
  for (const pre of fragment.querySelectorAll('pre')) {
    const frame = codeTools(pre)
    pre.replaceWith(frame)
    frame.append(pre)
  }
  for (const table of fragment.querySelectorAll('table')) {
    const frame = document.createElement('div')
    frame.className = 'wide'
    frame.tabIndex = 0
    frame.setAttribute('role', 'group')
    frame.setAttribute('aria-label', 'Table')
    table.replaceWith(frame)
    frame.append(table)
  }
  return fragment
}

export function Markdown({ source }: { readonly source: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const frame = requestAnimationFrame(() => place.current?.replaceChildren(rendered(source)))
    return () => cancelAnimationFrame(frame)
  }, [source])
  return <div class="markdown" ref={place} />
}
