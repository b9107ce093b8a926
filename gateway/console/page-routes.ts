// Serves the page: one HTML file and the files that it names. Knows nothing of what the page shows.

import { compress } from 'hono/compress'
import { secureHeaders } from 'hono/secure-headers'
import type { Routes } from '../http/api.ts'
import { loadPage, tagOf, typeOfFile } from './bundle.ts'

const none = ["'none'"]
const self = ["'self'"]

/** A hostile text of a model or a server can neither run, nor load, nor send anything. */
const headers = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: none,
    scriptSrc: self,
    styleSrc: self,
    imgSrc: ["'self'", 'data:'],
    connectSrc: self,
    baseUri: none,
    formAction: none,
    frameAncestors: none,
    requireTrustedTypesFor: ["'script'"],
    trustedTypes: ['dompurify']
  },
  crossOriginOpenerPolicy: 'same-origin',
  crossOriginResourcePolicy: 'same-origin',
  referrerPolicy: 'no-referrer',
  xFrameOptions: 'DENY',
  xContentTypeOptions: true,
  // TLS may end at a proxy, which knows better
  strictTransportSecurity: false
})

/** A browser asks for HTML by name; Ollama's clients ask `/` for anything. */
const wantsHtml = (accept: string | undefined): boolean => accept?.includes('text/html') === true

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD'

/** The page and its files are no part of the API: they are not in its document. */
export const pageRoutes: Routes = api => {
  api.use('/', async (c, next) => {
    if (!isRead(c.req.method) || !wantsHtml(c.req.header('Accept'))) return next()
    const page = (await loadPage()).find(({ name }) => name === 'index.html')!
    const tag = tagOf(page.body)
    const answered = { ETag: tag, 'Cache-Control': 'no-cache', Vary: 'Accept', 'Content-Type': typeOfFile(page.name) }
    await headers(c, async () => {
      c.res = c.req.header('If-None-Match') === tag ? c.body(null, 304, answered) : c.body(page.body, 200, answered)
    })
    return c.res
  })
  api.use('/console/:name{[\\w.-]+\\.(?:js|css)}', compress(), headers, async (c, next) => {
    if (!isRead(c.req.method)) return next()
    const file = (await loadPage()).find(({ name }) => name === c.req.param('name'))
    if (file === undefined) return c.notFound()
    return c.body(file.body, 200, {
      'Cache-Control': 'public, max-age=31536000, immutable',
      'Content-Type': typeOfFile(file.name)
    })
  })
}
