import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const { ORT_DISABLE_TELEMETRY: _, ...without } = process.env

/** What a program says that runs in a process of its own, without the variable in its environment. */
async function run(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    env: without
  })
  return stdout.trim()
}

/** A program that imports the library in a worker thread with an empty environment, and prints what comes of it. */
const inWorker = (before: string): string => `
  import { Worker } from 'node:worker_threads'
  ${before}
  const url = ${JSON.stringify(new URL('../../runtime/ort.ts', import.meta.url).href)}
  const code = 'import(' + JSON.stringify(url) + ').then(() => console.log("loaded"), error => console.log(error.code, error.message))'
  new Worker(code, { eval: true, env: {} })`

describe("ONNX Runtime's telemetry", () => {
  test('is off in the process itself when the library is loaded', async () => {
    const program = `await import('./client/index.ts')
      process.report.excludeNetwork = true
      console.log(process.report.getReport().environmentVariables.ORT_DISABLE_TELEMETRY)`
    assert.equal(await run(program), '1')
  })

  test('is off for worker threads where the main thread has imported us', async () => {
    assert.equal(await run(inWorker(`await import('./runtime/ort.ts')`)), 'loaded')
  })

  test('keeps the library from being loaded where a worker thread could not turn it off', async () => {
    if (process.platform === 'win32') return assert.equal(await run(inWorker('')), 'loaded')
    assert.match(await run(inWorker('')), /^UNSUPPORTED .*expected ORT_DISABLE_TELEMETRY=1 in the environment/)
  })

  test('is turned off by the first import of the one file that imports the library', async () => {
    const imports = (await readFile(join(root, 'runtime/library.ts'), 'utf8'))
      .split('\n')
      .filter(line => /^import /.test(line))
    assert.match(imports[0]!, /^import '\.\/no-telemetry\.ts'/)
  })
})
