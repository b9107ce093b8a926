// The examples of docs/api.md for curl, run literally by a shell against a gateway over a real swarm.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { served } from '../../testing/gateway.ts'
import { useGateway } from '../../testing/gateway-server.ts'
import { useSwarm } from '../../testing/swarm.ts'
import { parseTutorial, patternOf } from './tutorial.ts'

const run = promisify(execFile)
const page = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8')
const steps = parseTutorial(page)
const hasCurl = spawnSync('curl', ['--version']).status === 0

describe('docs/api.md', {
  skip: (process.platform === 'win32' || !hasCurl) && 'its commands are for curl and a shell'
}, () => {
  const used = useSwarm([[0, 12]])
  const template = steps.flatMap(step => (step.kind === 'file' && step.name === 'chat.jinja' ? [step.text] : []))[0]!
  const gateway = useGateway(() => {
    const model = served(used.model)
    return [{ ...model, template: { ...model.template!, source: template } }]
  })
  const commands = steps.flatMap(step =>
    step.kind === 'console' && step.ends === 'well'
      ? step.commands.map(command => ({ ...command, line: step.line }))
      : []
  )

  it('shows every dialect', () => {
    for (const path of ['/v1/chat/completions', '/v1/responses', '/v1/messages', '/api/chat', '/v1/embeddings']) {
      assert.ok(
        commands.some(({ typed }) => typed.includes(path)),
        path
      )
    }
  })

  for (const { typed, shown, line } of commands) {
    it(`line ${line}: ${typed.split('\n')[0]!.slice(0, 80)}`, async () => {
      assert.match(typed, /^curl /)
      const script = typed.replace('localhost:8000', gateway.url.replace('http://', ''))
      const { stdout } = await run('/bin/sh', ['-c', script])
      assert.ok(shown.length > 0, 'its answer is shown')
      assert.match(stdout.endsWith('\n') ? stdout : `${stdout}\n`, patternOf(shown, { whole: true }))
    })
  }
})
