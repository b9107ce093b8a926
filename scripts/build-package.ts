// Builds what is published: compiled JavaScript in the same layout, package.json with .ts paths turned into .js.
// Node strips types only outside node_modules, so an installed package must not need it to.
//   node scripts/build-package.ts [folder]      (default: build/)      then: npm pack ./build
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const out = resolve(process.argv[2] ?? join(root, 'build'))
const code = ['common', 'proto', 'graph', 'runtime', 'model', 'network', 'server', 'client', 'gateway', 'cli']
const plain = ['README.md', 'LICENSE', 'CHANGELOG.md', 'models', 'data', 'docs', 'examples', 'cli/bin.js']

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const folders = code.filter(folder => existsSync(join(root, folder)))
const config = join(out, 'tsconfig.build.json')
writeFileSync(
  config,
  JSON.stringify({
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir: root,
      outDir: out,
      typeRoots: [join(root, 'node_modules/@types')]
    },
    include: folders.map(folder => join(root, folder)),
    exclude: []
  })
)
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
  stdio: 'inherit',
  cwd: root
})
rmSync(config)

for (const path of plain)
  if (existsSync(join(root, path))) cpSync(join(root, path), join(out, path), { recursive: true })
for (const file of readdirSync(join(root, 'proto/gen')))
  cpSync(join(root, 'proto/gen', file), join(out, 'proto/gen', file))

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
for (const field of ['workspaces', 'devDependencies', 'scripts', 'private']) delete manifest[field]
const rewritten = JSON.stringify(manifest, null, 2).replaceAll(/(\.\/[\w./-]+)\.ts"/g, '$1.js"')
writeFileSync(join(out, 'package.json'), `${rewritten}\n`)
console.log(`built ${out}`)
