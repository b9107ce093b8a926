// What documents and comments name must be there: files, sections of documents, commands as a clone runs them.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { describe, test } from 'node:test'
import { rooms } from '../../scripts/layers.ts'

const root = join(import.meta.dirname, '../..')
/** not of the repository: what npm, git, the build and runs put there */
const others = ['node_modules', '.git', 'build', 'dist', 'runs', 'tmp']
const files = globSync('**/*', { cwd: root, exclude: ({ name }) => others.includes(name), withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
const paths = new Set(
  files.flatMap(file => file.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/')))
)
const names = new Set(files.map(file => basename(file)))
const topFolders = new Set(files.filter(file => file.includes('/')).map(file => file.split('/')[0]!))
const documents = files.filter(file =>
  /^(README|CHANGELOG|CONTRIBUTING)\.md$|^docs\/.*\.md$|^bench\/LOG\.md$/.test(file)
)
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** what programs write in a user's folders; documents name these too */
const written = /^(runs|build|dist|merged)\/|^data\/mine/

/** Whether a path is in the repository; `*` stands for any part of a name. */
const exists = (path: string): boolean =>
  paths.has(normalize(path).replace(/\/$/, '')) || (path.includes('*') && globSync(path, { cwd: root }).length > 0)

/** Paths in a text whose first part is a folder of the repository, or that end like a file of it. */
function cited(text: string): string[] {
  return [...text.matchAll(/(?<![\w/.<>-])[\w.-]+(?:\/[\w.*-]+)+\/?(?![\w<…])/g)]
    .map(([path]) => path.replace(/[.-]+$/, ''))
    .filter(path => topFolders.has(path.split('/')[0]!) && !written.test(path))
}

/** Code of a document: fenced lines, and what stands between backticks. */
function codeOf(markdown: string): { line: number; code: string }[] {
  let fenced = false
  return markdown.split('\n').flatMap((text, index) => {
    if (text.startsWith('```')) {
      fenced = !fenced
      return []
    }
    const pieces = fenced ? [text] : [...text.matchAll(/`([^`]+)`/g)].map(match => match[1]!)
    return pieces.map(code => ({ line: index + 1, code }))
  })
}

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll(/`|\*|\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

describe('documents', () => {
  test('link to files and sections that exist', () => {
    const faults: string[] = []
    for (const file of documents) {
      for (const [index, text] of read(file).split('\n').entries()) {
        for (const [, target] of text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
          const [path, anchor] = target!.split('#') as [string, string?]
          const found = path === '' ? file : join(dirname(file), path)
          if (!exists(found)) faults.push(`${file}:${index + 1}: ${target}: no such file`)
          else if (anchor !== undefined && found.endsWith('.md')) {
            const anchors = [...read(found).matchAll(/^#+ (.*)$/gm)].map(match => anchorOf(match[1]!))
            if (!anchors.includes(anchor)) faults.push(`${file}:${index + 1}: ${target}: no such section`)
          }
        }
      }
    }
    assert.deepEqual(faults, [])
  })

  test('are listed by their indexes', () => {
    const indexOf = { 'docs/decisions/': 'docs/decisions/README.md', 'docs/': 'docs/README.md' }
    for (const [folder, index] of Object.entries(indexOf)) {
      const listed = [...read(index).matchAll(/\]\(([^)#\s]+)/g)].map(match =>
        join(folder, match[1]!).replaceAll('\\', '/')
      )
      const own = documents.filter(file => file.startsWith(folder) && /\/\d{4}-/.test(file) === (folder !== 'docs/'))
      assert.deepEqual(
        own.filter(file => file !== index && !listed.includes(file)),
        [],
        index
      )
    }
  })

  test('name files that exist', () => {
    const faults: string[] = []
    for (const file of documents.filter(name => name !== 'CHANGELOG.md')) {
      for (const { line, code } of codeOf(read(file))) {
        for (const path of cited(code)) if (!exists(path)) faults.push(`${file}:${line}: ${path}`)
        const name = /^[\w.-]+\.(?:ts|proto)$/.exec(code)?.[0]
        if (name !== undefined && !names.has(name)) faults.push(`${file}:${line}: ${name}`)
      }
    }
    assert.deepEqual(faults, [])
  })

  test('name exports of the files beside them', () => {
    const places = [...read('docs/architecture.md').matchAll(/`([\w/.-]+\.ts)` \(((?:`\w+`(?:, )?)+)\)/g)]
    assert.ok(places.length >= 2)
    for (const [, file, list] of places)
      for (const [, name] of list!.matchAll(/`(\w+)`/g))
        assert.match(read(file!), new RegExp(`^export (?:async )?(?:function|class|const) ${name}\\b`, 'm'), `${file}`)
  })

  test('name every room of the layer check', () => {
    const page = read('docs/architecture.md')
    for (const [folder, list] of Object.entries(rooms)) {
      const row = page.split('\n').find(line => line.startsWith(`| \`${folder}/\` |`))
      const subfolders = list.filter(room => /^[a-z-]+$/.test(room))
      const missing = row === undefined ? [] : subfolders.filter(room => !row.includes(`\`${room}\``))
      assert.deepEqual(missing, [], folder)
      assert.ok(row !== undefined || folder.startsWith('model/'), `no row for ${folder}`)
    }
  })

  test('begin every command with npx swarm', () => {
    const commands = files
      .flatMap(file => /^cli\/commands\/([a-z]+)\.ts$/.exec(file)?.[1] ?? [])
      .filter(name => name !== 'index')
    assert.ok(commands.includes('serve'))
    const bare = new RegExp(`(?<![\\w/:.'-])(?<!npx )swarm (?:${commands.join('|')})\\b`)
    const faults = documents
      .filter(file => file !== 'CHANGELOG.md')
      .flatMap(file =>
        codeOf(read(file))
          .filter(({ code }) => bare.test(code))
          .map(({ line, code }) => `${file}:${line}: ${code}`)
      )
    assert.deepEqual(faults, [])
  })
})

test('entries of the changelog stand under Added, Changed or Fixed, each once', () => {
  const [, ...releases] = read('CHANGELOG.md').split(/^## /m)
  for (const release of releases) {
    const [preface, ...areas] = release.split(/^### /m) as [string, ...string[]]
    assert.deepEqual(preface.match(/^- .*/gm) ?? [], [])
    assert.deepEqual(
      areas.map(area => area.slice(0, area.indexOf('\n'))),
      ['Added', 'Changed', 'Fixed']
    )
    const entries = release.match(/^- .*(?:\n {2}.*)*/gm)!
    assert.deepEqual(
      entries.filter((entry, index) => entries.indexOf(entry) !== index),
      []
    )
  }
})

test('comments of the sources name files that exist', () => {
  const faults: string[] = []
  for (const file of files.filter(
    name => /\.(ts|js|proto)$/.test(name) && !/\/gen\/|^test\/(corpus|proto\/released)/.test(name)
  )) {
    for (const [index, text] of read(file).split('\n').entries()) {
      const comment = /^\s*(?:\/\/|\/?\*+)(.*)|\s\/\/ (.*)$/.exec(text)
      if (comment === null) continue
      const prose = (comment[1] ?? comment[2]!).replaceAll(/https?:\S+/g, '')
      for (const path of cited(prose)) {
        // a decision is cited by its number
        const isDecision = /^docs\/decisions\/\d{4}$/.test(path)
        if (isDecision || /\.(ts|js|md|json|jsonl|proto|py|safetensors)$/.test(path))
          if (!exists(isDecision ? `${path}-*.md` : path)) faults.push(`${file}:${index + 1}: ${path}`)
      }
      // a document by its file, so that the check above finds it
      if (/\bARCHITECTURE\b/.test(prose))
        faults.push(`${file}:${index + 1}: ARCHITECTURE: docs/architecture.md is its name`)
    }
  }
  assert.deepEqual(faults, [])
})
