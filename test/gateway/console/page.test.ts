// The page as it is served: its size, its headers, and who gets it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { bundlePage } from '../../../gateway/console/bundle.ts'
import { gatewayOver } from '../../../testing/gateway.ts'

const html = { Accept: 'text/html,application/xhtml+xml' }

describe('the page', () => {
  const { api } = gatewayOver([])

  it('has less than 200 KB with gzip, all files together, and names no other host', async () => {
    const files = await bundlePage()
    const bytes = files.reduce((sum, { body }) => sum + gzipSync(body).length, 0)
    assert.ok(bytes < 200_000, `${bytes} bytes`)
    assert.deepEqual(files.map(({ name }) => name.replace(/-\w{8}\./, '.')).sort(), [
      'index.html',
      'main.css',
      'main.js'
    ])
    const page = new TextDecoder().decode(files.find(({ name }) => name === 'index.html')!.body)
    assert.doesNotMatch(page, /https?:|<script>|style=/)
    const style = new TextDecoder().decode(files.find(({ name }) => name.endsWith('.css'))!.body)
    assert.doesNotMatch(style, /url\(|@import/)
  })

  it('is there for browsers, and tells them to run nothing but its own files', async () => {
    const answer = await api.request('/', { headers: html })
    assert.equal(answer.status, 200)
    const policy = answer.headers.get('Content-Security-Policy')!
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), policy)
    }
    assert.doesNotMatch(policy, /unsafe/)
    const expected = {
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'X-Frame-Options': 'DENY',
      'Cache-Control': 'no-cache',
      Vary: 'Accept'
    }
    for (const [name, value] of Object.entries(expected)) assert.equal(answer.headers.get(name), value, name)
    const again = await api.request('/', { headers: { ...html, 'If-None-Match': answer.headers.get('ETag')! } })
    assert.equal(again.status, 304)
    const page = await answer.text()
    const names = [...page.matchAll(/"(\/console\/[^"]+)"/g)].map(([, name]) => name!)
    assert.equal(names.length, 2)
    for (const name of names) {
      const file = await api.request(name, { headers: { 'Accept-Encoding': 'gzip' } })
      assert.equal(file.status, 200, name)
      assert.equal(file.headers.get('Cache-Control'), 'public, max-age=31536000, immutable')
      assert.equal(file.headers.get('X-Content-Type-Options'), 'nosniff')
      assert.equal(file.headers.get('Content-Encoding'), 'gzip')
    }
    assert.equal((await api.request('/console/main-00000000.js')).status, 404)
  })

  it('leaves the root to clients that are no browsers', async () => {
    const answer = await api.request('/')
    assert.doesNotMatch(answer.headers.get('Content-Type') ?? '', /html/)
  })
})
