// Builds what is published. `npm pack` and `npm publish` call it: Node strips types only outside node_modules, so an installed
// package must be compiled JavaScript.
//   node scripts/build-package.ts build       compiles into dist/, and bundles the console's page there
//   node scripts/build-package.ts prepack     the same, and package.json names the compiled files
//   node scripts/build-package.ts postpack    package.json is the clone's again
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundlePage } from '../gateway/console/bundle.ts'
import { neededNode } from '../runtime/library.ts'

type Manifest = Record<string, unknown> & { dependencies: Record<string, string> }

const root = resolve(import.meta.dirname, '..')
const dist = join(root, 'dist')
const manifestPath = join(root, 'package.json')
/** the clone's package.json while that of the archive is in its place */
const keptPath = join(root, 'package.json.clone')
const code = ['common', 'proto', 'graph', 'runtime', 'model', 'network', 'server', 'client', 'gateway', 'cli']

/** Compiles the folders of code into dist/, in the same layout. */
async function build(): Promise<void> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  if (!existsSync(compiler)) {
    console.error('swarmtune: the package cannot be built without its tools. Run: npm ci')
    process.exit(1)
  }
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  const config = join(dist, 'tsconfig.build.json')
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        rewriteRelativeImportExtensions: true,
        rootDir: root,
        outDir: dist,
        typeRoots: [join(root, 'node_modules/@types')]
      },
      include: code.filter(folder => existsSync(join(root, folder))).map(folder => join(root, folder)),
      exclude: [join(root, 'gateway/console/page')]
    })
  )
  const { status } = spawnSync(process.execPath, [compiler, '-p', config], { stdio: 'inherit', cwd: root })
  if (status !== 0) {
    console.error('swarmtune: the package is not built, since its code has type errors (above)')
    process.exit(1)
  }
  rmSync(config)
  cpSync(join(root, 'cli/bin.js'), join(dist, 'cli/bin.js'))
  for (const file of readdirSync(join(root, 'proto/gen')))
    cpSync(join(root, 'proto/gen', file), join(dist, 'proto/gen', file))
  const page = join(dist, 'gateway/console/built')
  mkdirSync(page)
  for (const { name, body } of await bundlePage()) writeFileSync(join(page, name), body)
  // an editor finds what the declarations need, whatever `lib` and `types` the user's tsconfig.json names
  const types = join(dist, 'client/index.d.ts')
  const references = '/// <reference types="node" />\n/// <reference lib="esnext.disposable" />\n'
  writeFileSync(types, references + readFileSync(types, 'utf8'))
}

/** The package.json of the archive. */
function published(manifest: Manifest): Manifest {
  const { workspaces, devDependencies, allowScripts, dependencies, scripts, bin, exports, imports, ...plain } = manifest
  const compiled = (paths: unknown): unknown =>
    JSON.parse(
      JSON.stringify(paths)
        .replaceAll(/"\.\/([\w./-]+)\.ts"/g, '"./dist/$1.js"')
        .replaceAll(/"cli\//g, '"dist/cli/')
    )
  const { 'onnxruntime-node': runtime, ...others } = dependencies
  const { prepack, postpack } = scripts as Record<string, string>
  return {
    ...plain,
    // a clone brings its own Node, an installed package runs on the user's
    engines: { node: neededNode },
    bin: compiled(bin),
    exports: compiled(exports),
    imports: compiled(imports),
    // prepack mends a clone whose last pack was interrupted
    scripts: { prepack, postpack },
    // the declarations name types of Node; any version that the user has does
    dependencies: { ...others, '@types/node': '>=22' },
    // its install script downloads GPU libraries; where that fails npm leaves the package out instead of failing the installation,
    // and runtime/library.ts says how to install it
    optionalDependencies: { 'onnxruntime-node': runtime! }
  }
}

const publishedText = (text: string): string => `${JSON.stringify(published(JSON.parse(text) as Manifest), null, 2)}\n`

/** Puts the clone's package.json back; does nothing where it is there. Ends the process where that would undo a change. */
function restore(): void {
  if (!existsSync(keptPath)) return
  const [kept, found] = [keptPath, manifestPath].map(path => readFileSync(path, 'utf8')) as [string, string]
  if (found !== kept && found !== publishedText(kept)) {
    console.error(
      'swarmtune: package.json has changed since an npm pack that was interrupted. Make the change in package.json.clone, ' +
        'then: mv package.json.clone package.json'
    )
    process.exit(1)
  }
  renameSync(keptPath, manifestPath)
}

/** Ends the process where the archive would hold files that are not in git: data, keys and models of whoever packs. */
function refuseUntracked(): void {
  const { files } = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest & { files: readonly string[] }
  const packed = files.filter(name => name !== 'dist')
  const { status, stdout } = spawnSync('git', ['ls-files', '--others', '-z', '--', ...packed], { cwd: root })
  if (status !== 0) return // no clone of git
  const found = stdout.toString().split('\0').slice(0, -1)
  if (found.length === 0) return
  const rest = found.length > 5 ? `, and ${found.length - 5} more` : ''
  console.error(
    `swarmtune: the package would hold files that are not in git: ${found.slice(0, 5).join(', ')}${rest}. ` +
      'Move them elsewhere, or git add them'
  )
  process.exit(1)
}

switch (process.argv[2]) {
  case 'build':
    await build()
    break
  case 'prepack': {
    restore()
    refuseUntracked()
    await build()
    const text = readFileSync(manifestPath, 'utf8')
    writeFileSync(keptPath, text)
    writeFileSync(manifestPath, publishedText(text))
    break
  }
  case 'postpack':
    restore()
    break
  default:
    console.error('usage: node scripts/build-package.ts build | prepack | postpack')
    process.exit(2)
}
