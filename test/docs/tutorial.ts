// A tutorial of docs/tutorials as steps, and the machines that it is run on: folders and homes of their own on this one. What the
// marks in a document mean stands in CONTRIBUTING.md, "Tutorials are tests".
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { second } from '../../common/units.ts'

/** What one fenced block or comment of a tutorial asks for. */
export type Step = { readonly line: number; readonly on: readonly string[] } & (
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'console'; readonly commands: readonly Command[]; readonly ends: 'well' | 'stays' | 'fails' }
  | { readonly kind: 'power-off' }
)

export interface Command {
  /** as typed, `^C` for an interrupt */
  readonly typed: string
  /** lines shown under it; none: its output is not compared */
  readonly shown: readonly string[]
}

/** Whether the shell waits for the end of a command: a quote is open, or the line ends with a backslash. */
function goesOn(typed: string): boolean {
  let quote = ''
  for (let at = 0; at < typed.length; at++) {
    const char = typed[at]!
    if (char === '\\' && quote !== "'") at++
    else if (char === quote) quote = ''
    else if (quote === '' && (char === "'" || char === '"')) quote = char
  }
  return quote !== '' || typed.endsWith('\\')
}

/** Commands of a `console` block with what is shown under each. */
function parseConsole(lines: readonly string[]): Command[] {
  const commands: { typed: string; shown: string[] }[] = []
  for (const line of lines) {
    const last = commands.at(-1)
    if (line.startsWith('$ ')) commands.push({ typed: line.slice(2), shown: [] })
    else if (line === '^C') commands.push({ typed: line, shown: [] })
    else if (last !== undefined && last.shown.length === 0 && goesOn(last.typed)) last.typed += `\n${line}`
    else if (last !== undefined) last.shown.push(line)
    else throw new Error(`'${line}' is shown before any command`)
  }
  return commands
}

/** The steps of a tutorial in their order; blocks without a mark are no steps. */
export function parseTutorial(markdown: string): Step[] {
  const lines = markdown.split('\n')
  const steps: Step[] = []
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1
    const off = /^<!-- power off: (\S+) -->$/.exec(lines[index]!)
    if (off) steps.push({ kind: 'power-off', line, on: [off[1]!] })
    const fence = /^```(\S+)?(.*)$/.exec(lines[index]!)
    if (fence === null) continue
    const end = lines.indexOf('```', index + 1)
    const body = lines.slice(index + 1, end)
    index = end
    const words = fence[2]!.trim().split(' ')
    const value = (name: string) => words.find(word => word.startsWith(`${name}=`))?.slice(name.length + 1)
    const on = (value('on') ?? 'here').split(',')
    const name = value('file')
    if (name !== undefined) steps.push({ kind: 'file', line, on, name, text: `${body.join('\n')}\n` })
    else if (fence[1] === 'console') {
      const ends = words.includes('stays') ? 'stays' : words.includes('fails') ? 'fails' : 'well'
      steps.push({ kind: 'console', line, on, commands: parseConsole(body), ends })
    }
  }
  return steps
}

/** What lines of a document match: `…` is any part of a line, a line of it any number of lines. */
export function patternOf(shown: readonly string[], { whole }: { whole: boolean }): RegExp {
  const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const lines = shown.map(line =>
    line === '…' ? '(?:.*\\n)*?' : `${literal(line.trimEnd()).replaceAll('…', '[^\\n]*?')}[ \\t]*\\n`
  )
  return new RegExp(`^${lines.join('')}${whole ? '$' : ''}`)
}

const lineEnd = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

/** A process that goes on while others run on its machine. */
interface Staying {
  readonly process: ChildProcess
  readonly output: () => { stdout: string; stderr: string }
  readonly closed: Promise<void>
}

export interface TutorialInit {
  /** a folder for the machines */
  readonly folder: string
  /** the packed package */
  readonly archive: string
  readonly env: NodeJS.ProcessEnv
  readonly timeoutMs?: number
  readonly log?: (line: string) => void
}

/** The machines of one tutorial. */
export class Machines {
  readonly #init: TutorialInit
  readonly #known = new Set<string>()
  readonly #staying = new Map<string, Staying[]>()
  /** all that was printed, for words that end with `…` in commands */
  #printed = ''

  constructor(init: TutorialInit) {
    this.#init = init
  }

  /** Does what a step asks for. Throws an AssertionError with the output where that is not what the document shows. */
  async run(step: Step): Promise<void> {
    for (const name of step.on) {
      await this.#prepare(name)
      if (step.kind === 'power-off') await this.#end(name, 'SIGKILL')
      else if (step.kind === 'file') {
        const cwd = (await readFile(this.#path(name, '.cwd'), 'utf8')).trim()
        await writeFile(join(cwd, step.name), step.text)
      } else {
        for (const [index, command] of step.commands.entries()) {
          const ends = index === step.commands.length - 1 ? step.ends : 'well'
          if (command.typed === '^C') await this.#interrupt(name, command)
          else if (ends === 'stays') await this.#start(name, command)
          else await this.#execute(name, command, ends)
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#staying.keys()].map(name => this.#end(name, 'SIGKILL')))
  }

  #path(machine: string, file: string): string {
    return join(this.#init.folder, machine, file)
  }

  /** A home with the packed package in it. */
  async #prepare(name: string): Promise<void> {
    if (this.#known.has(name)) return
    this.#known.add(name)
    const { folder, archive } = this.#init
    await mkdir(join(folder, name))
    await cp(archive, this.#path(name, basename(archive)))
    await writeFile(this.#path(name, '.cwd'), join(folder, name))
    await writeFile(this.#path(name, '.exports'), '')
  }

  /** Words such as `swarm1…` are what was last printed that begins so. */
  #fill(typed: string): string {
    return typed.replaceAll(/([^\s"'=]+)…/g, (word, start: string) => {
      const at = this.#printed.lastIndexOf(start)
      assert.ok(at >= 0, `nothing was printed that begins with '${start}', which ${word} stands for`)
      return /^\S+/.exec(this.#printed.slice(at))![0]
    })
  }

  #spawn(name: string, typed: string): Staying {
    const command = this.#fill(typed)
    this.#init.log?.(`${name}$ ${command}`)
    const [exports, cwd] = [this.#path(name, '.exports'), this.#path(name, '.cwd')]
    const keep = `status=$?; export -p > '${exports}'; pwd > '${cwd}'; exit $status`
    const script = `. '${exports}'; cd "$(cat '${cwd}')"; ${command}\n${keep}`
    const child = spawn('/bin/sh', ['-c', script], {
      cwd: this.#path(name, '.'),
      env: { ...this.#init.env, HOME: this.#path(name, '.') },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true
    })
    let [stdout, stderr] = ['', '']
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      this.#printed += text
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
    return { process: child, output: () => ({ stdout, stderr }), closed }
  }

  async #execute(name: string, { typed, shown }: Command, ends: 'well' | 'fails'): Promise<void> {
    const run = this.#spawn(name, typed)
    const timer = setTimeout(() => signal(run, 'SIGKILL'), this.#timeoutMs)
    await run.closed
    clearTimeout(timer)
    const { stdout, stderr } = run.output()
    const status = run.process.exitCode ?? run.process.signalCode
    const all = `${typed}\nended with ${status}\n${stdout}\n${stderr}`
    assert.ok(ends === 'fails' ? typeof status === 'number' && status > 0 : status === 0, all)
    if (shown.length === 0) return
    const text = ends === 'fails' ? lineEnd(stdout) + lineEnd(stderr) : lineEnd(stdout)
    assert.match(text, patternOf(shown, { whole: true }), all)
  }

  /** Returns when all that the document shows is printed. */
  async #start(name: string, { typed, shown }: Command): Promise<void> {
    const run = this.#spawn(name, typed)
    this.#staying.set(name, [...(this.#staying.get(name) ?? []), run])
    const pattern = patternOf(shown, { whole: false })
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => () => {
        const { stdout, stderr } = run.output()
        reject(
          new assert.AssertionError({ message: `${typed}\n${why}\n${stdout}\n${stderr}`, expected: pattern.source })
        )
      }
      const timer = setTimeout(fail('did not print what is shown'), this.#timeoutMs)
      const look = (): void => {
        if (!pattern.test(run.output().stdout)) return
        clearTimeout(timer)
        resolve()
      }
      run.process.stdout!.on('data', look)
      void run.closed.then(fail('ended'))
    })
  }

  /** Ctrl-C for the command that was started last. */
  async #interrupt(name: string, { shown }: Command): Promise<void> {
    const run = this.#staying.get(name)?.pop()
    assert.ok(run, `nothing runs on ${name}`)
    const before = run.output().stdout.length
    signal(run, 'SIGINT')
    await run.closed
    const text = lineEnd(run.output().stdout.slice(before))
    if (shown.length > 0) assert.match(text, patternOf(shown, { whole: true }), run.output().stderr)
  }

  async #end(name: string, how: NodeJS.Signals): Promise<void> {
    const running = this.#staying.get(name) ?? []
    this.#staying.delete(name)
    for (const run of running) signal(run, how)
    await Promise.all(running.map(({ closed }) => closed))
  }

  get #timeoutMs(): number {
    return this.#init.timeoutMs ?? 300 * second
  }
}

/** To all processes of the command, as a terminal does it. */
function signal({ process: { pid, exitCode, signalCode } }: Staying, name: NodeJS.Signals): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  process.kill(-pid, name)
}

/**
 * A folder for the front of PATH with an `npx` that adds `--host 127.0.0.1` to commands that listen: what a tutorial does stays on
 * this machine.
 */
export async function keepToLoopback(folder: string, path: string): Promise<string> {
  const npx = path
    .split(':')
    .map(each => join(each, 'npx'))
    .find(each => existsSync(each))
  assert.ok(npx, 'npx is on the PATH')
  const script = `#!/bin/sh
case "$1 $2" in
  'swarm serve'|'swarm bootstrap'|'swarm doctor'|'swarm up') exec '${npx}' "$@" --host 127.0.0.1 ;;
  *) exec '${npx}' "$@" ;;
esac
`
  await mkdir(folder)
  await writeFile(join(folder, 'npx'), script, { mode: 0o755 })
  return folder
}
