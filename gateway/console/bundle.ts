// Makes the files of the page: bundled from their sources in a clone, read as they were built in the npm package.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'

/** A file that the gateway serves. */
export interface PageFile {
  /** `index.html`, or a name with a hash of the content: `main-3F2A.js` */
  readonly name: string
  readonly body: Uint8Array<ArrayBuffer>
}

const sources = join(import.meta.dirname, 'page')
/** the package has no sources, it has this folder */
const built = join(import.meta.dirname, 'built')

/** Bundles the page. Throws UNSUPPORTED where esbuild is not installed, and what esbuild says of wrong sources. */
export async function bundlePage(): Promise<PageFile[]> {
  const { build } = await import('esbuild').catch((cause: unknown) => {
    throw new SwarmError('UNSUPPORTED', 'the console needs esbuild to bundle its page. Run: npm ci', { cause })
  })
  const { outputFiles } = await build({
    entryPoints: [join(sources, 'main.tsx')],
    outdir: '/',
    entryNames: '[name]-[hash]',
    tsconfig: join(sources, 'tsconfig.json'),
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    legalComments: 'eof',
    logLevel: 'silent'
  })
  const files = outputFiles.map(({ path, contents }) => ({
    name: path.slice(path.lastIndexOf('/') + 1),
    body: new Uint8Array(contents)
  }))
  const named = (ending: string): string => `/console/${files.find(({ name }) => name.endsWith(ending))!.name}`
  const html = (await readFile(join(sources, 'index.html'), 'utf8'))
    .replace('{style}', named('.css'))
    .replace('{script}', named('.js'))
  return [{ name: 'index.html', body: new TextEncoder().encode(html) }, ...files]
}

async function readBuilt(): Promise<PageFile[]> {
  const names = await readdir(built)
  return Promise.all(names.map(async name => ({ name, body: new Uint8Array(await readFile(join(built, name))) })))
}

let loaded: Promise<PageFile[]> | undefined

/** The files of the page, made once a process. */
export function loadPage(): Promise<PageFile[]> {
  loaded ??= existsSync(built) ? readBuilt() : bundlePage()
  return loaded
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8'
}

/** Content type of a file of the page. */
export const typeOfFile = (name: string): string => types[extname(name)] ?? 'application/octet-stream'

/** Tag of a file whose name says nothing of its content. */
export const tagOf = (body: Uint8Array): string => `"${createHash('sha256').update(body).digest('base64url')}"`
