// The folder of this package: in a clone, or installed by npm. For Node alone.
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, parse, relative } from 'node:path'

/** The nearest folder, from this file up, that has a package.json: the clone's, or the installed package's. */
export function packageFolder(): string {
  const { root } = parse(import.meta.dirname)
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json')) && folder !== root) folder = dirname(folder)
  return folder
}

interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/**
 * The npm command that installs a dependency of this package beside it, without running install scripts. In a clone that is `npm ci`.
 * An installation with `-g` has no package.json above its node_modules.
 * @param dependency its name
 * @param folder of this package
 * @param from folder that the user is in
 */
export function installCommand(dependency: string, folder = packageFolder(), from = process.cwd()): string {
  const modules = dirname(folder)
  if (basename(modules) !== 'node_modules') return 'npm ci'
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  const range = manifest.dependencies?.[dependency] ?? manifest.optionalDependencies?.[dependency] ?? 'latest'
  const spec = `--ignore-scripts ${dependency}@${range.replace(/^[^\w]+/, '')}` // shells treat ^ and > as their own
  const project = dirname(modules)
  if (!existsSync(join(project, 'package.json'))) return `npm install -g ${spec}`
  const isHere = !relative(project, from).startsWith('..') && !isAbsolute(relative(project, from))
  return `npm install ${isHere ? '' : `--prefix ${JSON.stringify(project)} `}${spec}`
}

/** The version of a dependency that is installed; `not installed` where there is none. */
export function dependencyVersion(name: string): string {
  let folder = packageFolder()
  for (;;) {
    const path = join(folder, 'node_modules', name, 'package.json')
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as Manifest).version ?? 'unknown'
    if (dirname(folder) === folder) return 'not installed'
    folder = dirname(folder)
  }
}
