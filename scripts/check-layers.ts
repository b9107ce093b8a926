// Checks that folders import only what the architecture allows, and that only two of them touch the outside libraries.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

/** folder -> folders it may import */
const allowed: Record<string, readonly string[]> = {
  common: [],
  proto: ['common'],
  graph: ['proto', 'common'],
  runtime: ['graph', 'common'],
  model: ['graph', 'common'],
  network: ['proto', 'common'],
  server: ['model', 'runtime', 'graph', 'network', 'proto', 'common'],
  client: ['model', 'runtime', 'graph', 'network', 'proto', 'common'],
  gateway: ['client', 'common'],
  testing: ['cli', 'gateway', 'client', 'server', 'model', 'runtime', 'graph', 'network', 'proto', 'common'],
  cli: ['gateway', 'client', 'server', 'model', 'runtime', 'graph', 'network', 'proto', 'common']
}

/** packages that exactly one folder may import */
const owned: readonly { pattern: RegExp; folder: string }[] = [
  { pattern: /^onnxruntime/, folder: 'runtime' },
  { pattern: /^(libp2p|@libp2p\/|@chainsafe\/|@multiformats\/)/, folder: 'network' },
  { pattern: /^commander$/, folder: 'cli' }
]

/** where files may know each other's types: gradient rules are written in the builder's operators, which are rows of a table of such rules */
const typeCircles = ['graph/', 'server/memory/kv/']

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s(type\s)?[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* sources(path)
    else if (/\.(ts|js)$/.test(entry.name) && !path.includes('/gen/')) yield path
  }
}

const faults: string[] = []
const graph = new Map<string, string[]>()
for (const folder of Object.keys(allowed)) {
  let files: string[]
  try {
    files = [...sources(folder)]
  } catch {
    continue // a folder that is not built yet
  }
  for (const file of files) {
    const edges: string[] = []
    graph.set(file, edges)
    const text = readFileSync(join(root, file), 'utf8')
    if (/^\s*(await )?using \w+ =/m.test(text))
      faults.push(`${file}: Node 22 cannot parse "using": see common/resource.ts`)
    for (const match of text.matchAll(importPattern)) {
      const target = (match[2] ?? match[3])!
      if (target.startsWith('.')) {
        const path = relative(root, resolve(root, dirname(file), target))
        if (match[1] === undefined || !typeCircles.some(folder => file.startsWith(folder))) edges.push(path)
        const top = path.split('/')[0]!
        if (top !== folder && top in allowed && !allowed[folder]!.includes(top)) {
          faults.push(`${file}: ${folder}/ may not import ${top}/ (${target})`)
        }
      } else {
        for (const { pattern, folder: owner } of owned) {
          if (pattern.test(target) && folder !== owner) faults.push(`${file}: only ${owner}/ may import ${target}`)
        }
        if (folder === 'client' && !file.endsWith('.node.ts') && target.startsWith('node:')) {
          faults.push(`${file}: client/ also runs in browsers: no ${target}`)
        }
      }
    }
  }
}

const done = new Set<string>()
function findCycle(file: string, path: string[]): void {
  if (path.includes(file)) {
    faults.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`)
    return
  }
  if (done.has(file)) return
  for (const next of graph.get(file) ?? []) findCycle(next, [...path, file])
  done.add(file)
}
for (const file of graph.keys()) findCycle(file, [])

for (const fault of faults) console.error(fault)
console.log(`layers: ${graph.size} files, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
