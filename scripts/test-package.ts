// Does what is published work? `npm pack` in the clone, then what a user does with the archive in empty folders: install without
// flags where the GPU libraries of ONNX Runtime cannot be downloaded, import, type-check, run the command, install with -g.
import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'swarm package-')) // with a space, as users' folders have
const maxUnpackedBytes = 20_000_000
/** onnxruntime-node has a download for these; elsewhere its install script has nothing to do */
const hasDownload = process.platform === 'linux' && process.arch === 'x64'
const isWindows = process.platform === 'win32'

const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  // a proxy that refuses: the download fails on every machine as it does offline, while npm's own registry is reached
  GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:9',
  npm_config_audit: 'false',
  npm_config_fund: 'false'
}
// what npm tells scripts of this clone is not for the user's npm
for (const name of Object.keys(environment))
  if (/^npm_(config_(local_)?prefix|package|lifecycle|config_global)/i.test(name)) delete environment[name]

function run(command: string, args: readonly string[], cwd: string, env = environment): SpawnSyncReturns<string> {
  console.log(`$ ${command} ${args.join(' ')}`)
  const quoted = isWindows ? args.map(arg => (arg.includes(' ') ? `"${arg}"` : arg)) : args
  return spawnSync(command, quoted, { cwd, env, encoding: 'utf8', shell: isWindows, maxBuffer: 2 ** 28 })
}

function succeeds(command: string, args: readonly string[], cwd: string, env = environment): string {
  const { status, stdout, stderr, error } = run(command, args, cwd, env)
  assert.equal(status, 0, `${command} ${args.join(' ')}: status ${status} ${error ?? ''}\n${stdout}\n${stderr}`)
  return stdout
}

/** Runs the command that an error line ends with, as a user would who copies it. */
function runAdvice(line: string, cwd: string, env = environment): void {
  const advised = / Run: (npm .+)$/m.exec(line)?.[1]
  assert.ok(advised, `expected a line that ends with a command, found: ${line}`)
  const [command, ...args] = advised.split(' ')
  succeeds(command!, args, cwd, env)
}

interface Packed {
  readonly filename: string
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string }[]
}

/** `npm pack` in the clone, as it stands in the README. @returns path of the archive */
function pack(): string {
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  const packed = () => JSON.parse(succeeds('npm', ['pack', '--json', '--pack-destination', folder], root)) as Packed[]
  // a pack that was interrupted before its end must neither keep nor lose the clone's package.json
  succeeds(process.execPath, [join(root, 'scripts/build-package.ts'), 'prepack'], root)
  assert.notEqual(readFileSync(join(root, 'package.json'), 'utf8'), manifest)
  const [{ filename, unpackedSize, files }] = packed() as [Packed]
  assert.equal(readFileSync(join(root, 'package.json'), 'utf8'), manifest, 'npm pack gives package.json back')
  assert.ok(unpackedSize < maxUnpackedBytes, `${unpackedSize} bytes unpacked, expected fewer than ${maxUnpackedBytes}`)
  const paths = files.map(({ path }) => path)
  const sources = paths.filter(path => /(?<!\.d)\.ts$/.test(path) && !path.startsWith('examples/'))
  assert.deepEqual(sources, [], 'no TypeScript that Node would refuse to run in node_modules')
  const known = /^(dist|docs|models\/tiny|data|examples)\/|^(README\.md|LICENSE|CHANGELOG\.md|package\.json)$/
  assert.deepEqual(
    paths.filter(path => !known.test(path)),
    []
  )
  console.log(`packed ${paths.length} files, ${unpackedSize} bytes unpacked`)
  return join(folder, filename)
}

/** Types as an editor sees them: the examples, and a program with one error that must be found. */
function checkTypes(user: string): void {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  cpSync(join(user, 'node_modules/swarmtune/examples'), join(user, 'examples'), { recursive: true })
  writeFileSync(
    join(user, 'typed.ts'),
    `import { AutoDistributedModelForCausalLM, type Tensor } from 'swarmtune'
const model = await AutoDistributedModelForCausalLM.fromPretrained('models/tiny', { initialPeers: [] })
const ids: number[] = model.tokenizer.encode('Call me')
const logits: Tensor | undefined = (await model.forward({ inputIds: [ids] })).logits
// @ts-expect-error encode gives numbers
const wrong: string[] = model.tokenizer.encode('Call me')
console.log(logits, wrong)
`
  )
  for (const [module, moduleResolution] of [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler']
  ] as const) {
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2022',
      strict: true,
      noEmit: true,
      skipLibCheck: false
    }
    const examples = { ...compilerOptions, allowImportingTsExtensions: true, types: ['node'] }
    for (const [name, include, exclude, options] of [
      ['typed', ['typed.ts'], [], compilerOptions],
      ['examples', ['examples'], ['examples/ai-sdk.ts'], examples]
    ] as const) {
      const project = join(user, `tsconfig.${name}.${module}.json`)
      writeFileSync(project, JSON.stringify({ compilerOptions: options, include, exclude }))
      succeeds(process.execPath, [compiler, '-p', project], user)
    }
  }
}

/** The example of the AI SDK, which is a package of the user's. Types of its own dependencies are incomplete. */
function checkAiSdk(user: string): void {
  succeeds('npm', ['install', '--ignore-scripts', 'ai', 'zod'], user)
  const { compilerOptions } = JSON.parse(readFileSync(join(user, 'tsconfig.examples.nodenext.json'), 'utf8')) as {
    compilerOptions: object
  }
  const project = join(user, 'tsconfig.ai-sdk.json')
  const options = { ...compilerOptions, skipLibCheck: true }
  writeFileSync(project, JSON.stringify({ compilerOptions: options, include: ['examples/ai-sdk.ts'] }))
  succeeds(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], user)
}

/** The API and the page that the archive brings, over a swarm on this machine. */
async function serveThePage(user: string): Promise<void> {
  const args = ['swarm', 'up', 'node_modules/swarmtune/models/tiny', '--port', '0', '--json', '--until-eof']
  console.log(`$ npx ${args.join(' ')}`)
  const env = { ...environment, SWARM_HOME: join(folder, 'home') }
  const up = spawn('npx', args, { cwd: user, env, shell: isWindows, stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    let url: string | undefined
    for await (const line of createInterface({ input: up.stdout })) {
      url = (JSON.parse(line) as { url?: string }).url
      if (url !== undefined) break
    }
    assert.ok(url, 'swarm up ended before it was online')
    const page = await (await fetch(url, { headers: { accept: 'text/html' } })).text()
    const files = [...page.matchAll(/"(\/console\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path)
    assert.equal(files.length, 2, page)
    for (const file of files) assert.equal((await fetch(new URL(file!, url))).status, 200, file)
    const body = JSON.stringify({ model: 'tiny', prompt: 'It was a dark', max_tokens: 4 })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(new URL('/v1/completions', url), { method: 'POST', headers, body })
    assert.equal(answer.status, 200, await answer.text())
  } finally {
    const ended = once(up, 'exit')
    up.stdin.end()
    await ended
  }
}

async function installLocally(archive: string): Promise<void> {
  const user = join(folder, 'user')
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  succeeds('npm', ['install', archive], user)
  const hasRuntime = existsSync(join(user, 'node_modules/onnxruntime-node'))
  assert.equal(hasRuntime, !hasDownload, 'npm leaves ONNX Runtime out where its download fails')

  const program =
    "const { AutoDistributedModelForCausalLM } = await import('swarmtune'); console.log(typeof AutoDistributedModelForCausalLM.fromPretrained)"
  assert.equal(succeeds(process.execPath, ['--input-type=module', '-e', program], user).trim(), 'function')
  checkTypes(user)
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.ok(succeeds('npx', ['swarm', '--version'], user).includes(version))

  if (!hasRuntime) {
    const model = 'node_modules/swarmtune/models/tiny'
    const { status, stderr } = run('npx', ['swarm', 'serve', model, '--host', '127.0.0.1', '--no-identity'], user)
    assert.equal(status, 1)
    assert.match(
      stderr,
      /^swarm: ONNX Runtime is not installed .* Run: npm install --ignore-scripts onnxruntime-node@[\d.]+\n$/
    )
    runAdvice(stderr, user)
  }
  assert.match(succeeds('npx', ['swarm', 'demo', '--epochs', '1'], user), /Vermont/)
  await serveThePage(user)
  checkAiSdk(user)
}

/** `npm install -g`: the command is on the PATH, and the advice is for a global installation. */
function installGlobally(archive: string): void {
  const prefix = join(folder, 'global')
  mkdirSync(join(prefix, 'lib'), { recursive: true })
  const bin = isWindows ? prefix : join(prefix, 'bin')
  const env = { ...environment, npm_config_prefix: prefix, PATH: `${bin}${delimiter}${environment.PATH}` }
  succeeds('npm', ['install', '-g', '--prefer-offline', archive], folder, env)
  assert.ok(succeeds('swarm', ['--version'], folder, env).length > 0)
  if (!hasDownload) return
  const modules = join(prefix, isWindows ? 'node_modules' : 'lib/node_modules')
  const serve = ['serve', join(modules, 'swarmtune/models/tiny'), '--host', '127.0.0.1', '--no-identity']
  const { stderr } = run('swarm', serve, folder, env)
  assert.match(stderr, / Run: npm install -g --ignore-scripts onnxruntime-node@[\d.]+\n$/)
  runAdvice(stderr, folder, env)
  assert.match(succeeds('swarm', ['demo', '--epochs', '1'], folder, env), /Vermont/)
}

/** An archive that npm packed without running prepack, as some users configure it, says so when it is used. */
function packWithoutScripts(): void {
  const output = join(folder, 'unbuilt')
  mkdirSync(output)
  const packed = succeeds('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', output], root)
  const [{ filename }] = JSON.parse(packed) as [Packed]
  succeeds('tar', ['-xzf', filename], output)
  const { status, stderr } = run(process.execPath, [join(output, 'package/cli/bin.js'), 'demo'], output)
  assert.equal(status, 1)
  assert.match(stderr, /^swarm: this package was packed without its code, .* npm pack --ignore-scripts=false\n$/)
}

/** `npm pack` in a clone whose tools are not installed says what to do, whatever Node the system has. */
function packTooEarly(): void {
  const clone = join(folder, 'clone')
  mkdirSync(join(clone, 'scripts'), { recursive: true })
  for (const file of ['package.json', 'scripts/build-package.ts']) cpSync(join(root, file), join(clone, file))
  const { status, stderr } = run('npm', ['pack'], clone)
  assert.notEqual(status, 0)
  assert.match(stderr, /^swarmtune: a clone is packed with its own tools\. Run: npm ci$/m)
}

try {
  packTooEarly()
  packWithoutScripts()
  const archive = pack()
  await installLocally(archive)
  installGlobally(archive)
  console.log('the package installs and runs')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
