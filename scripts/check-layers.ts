// Checks the architecture of layers.ts over every file: arrows between folders and between rooms, types included; no cycle of files;
// one owner for each exported name, and a reader; outside libraries in one folder each.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { folders, owned, rooms } from './layers.ts'

const root = resolve(import.meta.dirname, '..')

const importPattern = /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g
const exportPattern =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type) (\w+)/gm
/** a wait for a signal, an ignored failure, a delay, a queue of promises */
const writtenOut =
  /addEventListener\('abort'|\.catch\(\(\) => \{\}\)|new Promise(?:<void>)?\(\w+ => (?:void )?setTimeout|(this\.#\w+) = \1\.then\(/

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.name === 'node_modules') continue
    if (entry.isDirectory()) yield* sources(path)
    else if (/\.(tsx?|js)$/.test(entry.name) && !path.includes('/gen/')) yield path
  }
}

/** Position of the room that a file is in, counted from the lowest; that of the longest name where several fit. */
function roomOf(path: string, names: readonly string[]): number {
  const fitting = names.filter(name => path === name || path.startsWith(`${name}/`))
  return fitting.length === 0 ? names.length : names.indexOf(fitting.reduce((a, b) => (a.length > b.length ? a : b)))
}

const faults: string[] = []
/** file -> files that it imports */
const graph = new Map<string, string[]>()
/** exported name -> files that declare it */
const owners = new Map<string, string[]>()
/** exported functions, classes and constants, without types: they are part of what signatures say */
const values = new Set<string>()
/** word -> the first two files in which it stands */
const readers = new Map<string, string[]>()

function checkArrow(file: string, target: string): void {
  const [from, to] = [file.split('/')[0]!, target.split('/')[0]!]
  if (from !== to && to in folders && !folders[from]!.includes(to)) {
    faults.push(`${file}: ${from}/ may not import ${to}/ (${target})`)
  }
  for (const [folder, names] of Object.entries(rooms)) {
    if (!file.startsWith(`${folder}/`) || !target.startsWith(`${folder}/`)) continue
    const [here, there] = [file, target].map(path => roomOf(path.slice(folder.length + 1), names)) as [number, number]
    if (here < there) {
      faults.push(`${file}: ${folder}/${names[here]} may not import ${folder}/${names[there] ?? ''} (${target})`)
    }
  }
}

function checkPackage(file: string, name: string): void {
  const folder = file.split('/')[0]!
  for (const { pattern, folder: owner } of owned) {
    if (
      pattern.test(name) &&
      folder !== owner &&
      folder in folders &&
      !['test', 'testing', 'bench', 'scripts'].includes(folder)
    ) {
      faults.push(`${file}: only ${owner}/ may import ${name}`)
    }
  }
  if (folder === 'client' && !file.endsWith('.node.ts') && name.startsWith('node:')) {
    faults.push(`${file}: client/ also runs in browsers: no ${name}`)
  }
}

for (const folder of Object.keys(folders)) {
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
    if (!['test', 'testing', 'bench', 'scripts'].includes(folder) && /^\s*(await )?using \w+ =/m.test(text))
      faults.push(`${file}: Node 22 cannot parse "using": see common/resource.ts`)
    // the page runs in a browser, which has no node:timers
    const isPage = file.startsWith('gateway/console/page/')
    const isShipped = !isPage && !['test', 'testing', 'bench', 'scripts', 'examples'].includes(folder)
    if (isShipped && file !== 'common/async.ts' && writtenOut.test(text))
      faults.push(`${file}: waits for a signal, delays, queues and ignored failures are written in common/async.ts`)
    for (const word of new Set(text.match(/\w+/g))) {
      const known = readers.get(word)
      if (known === undefined) readers.set(word, [file])
      else if (known.length < 2) known.push(file)
    }
    for (const match of text.matchAll(importPattern)) {
      const name = (match[1] ?? match[2])!
      if (!name.startsWith('.')) {
        checkPackage(file, name)
        continue
      }
      const target = relative(root, resolve(root, dirname(file), name))
      edges.push(target)
      checkArrow(file, target)
    }
    if (['test', 'bench', 'scripts', 'examples'].includes(folder)) continue
    for (const [declaration, name] of text.matchAll(exportPattern)) {
      // the page is a program of its own, with names of its own
      const owned = isPage ? `${name} of the page` : name!
      owners.set(owned, [...(owners.get(owned) ?? []), file])
      if (!/ (?:interface|type) \w+$/.test(declaration)) values.add(owned)
    }
  }
}

for (const [name, files] of owners) {
  // overloads are declared several times in one file
  if (new Set(files).size > 1)
    faults.push(`${name} is exported by ${[...new Set(files)].join(' and ')}: one owner a name`)
  if (values.has(name) && readers.get(name.split(' ')[0]!)!.length === 1)
    faults.push(`${files[0]}: exports ${name}, which no other file names: drop the export`)
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
