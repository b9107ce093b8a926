// Faults that are put into the code on purpose, to see that simulated worlds find them: a line of a file, changed as it is loaded.
import { registerHooks } from 'node:module'
import { SwarmError } from '../../common/errors.ts'

export interface Plant {
  readonly name: string
  /** what users would see of it */
  readonly kind:
    | 'acknowledgement lost'
    | 'early expiry'
    | 'applied twice'
    | 'torn file'
    | 'leak'
    | 'hang'
    | 'not rejoined'
    | 'lie believed'
  /** from the root of the repository */
  readonly file: string
  /** is there exactly once */
  readonly find: string
  readonly replace: string
}

export const plants: readonly Plant[] = [
  {
    name: 'answer-lost',
    kind: 'acknowledgement lost',
    file: 'server/sessions/served-session.ts',
    find: "    const message = { body: { kind: 'inferenceResult', step: body.step }, tensors: { hidden } } as const\n",
    replace:
      "    if (Math.random() < 0.02) return\n    const message = { body: { kind: 'inferenceResult', step: body.step }, tensors: { hidden } } as const\n"
  },
  {
    name: 'announcements-expire-early',
    kind: 'early expiry',
    file: 'network/constants.ts',
    find: 'export const announcementExpiryMs = 6 * minute',
    replace: 'export const announcementExpiryMs = 40 * second'
  },
  {
    name: 'step-cached-twice',
    kind: 'applied twice',
    file: 'server/sessions/served-session.ts',
    find: 'if (row.length > 0) row.length = Math.min(row.length, prefix + starts[index]!)',
    replace: 'void starts[index]'
  },
  {
    name: 'step-trained-twice',
    kind: 'applied twice',
    file: 'client/train/checkpointing.ts',
    find: '  return { state: { ...state, total }, resumed: ',
    replace: '  return { state: { ...state, step: Math.max(0, step - 1), total }, resumed: '
  },
  {
    name: 'checkpoint-in-place',
    kind: 'torn file',
    file: 'client/platform/files.node.ts',
    find: '      await makeFolder(temporary)\n      await fill(temporary)\n',
    replace: '      await makeFolder(path)\n      await fill(path)\n      if (path !== temporary) return\n'
  },
  {
    name: 'cache-not-released',
    kind: 'leak',
    file: 'server/sessions/served-session.ts',
    find: '    this.#decode.cache.release()\n',
    replace: '    if (this.#cutBy === null) this.#decode.cache.release()\n'
  },
  {
    name: 'retries-wait-too-long',
    kind: 'hang',
    file: 'common/async.ts',
    find: '      resolve()\n    }, fromNow(ms))\n',
    replace: '      resolve()\n    }, fromNow(1000 * ms))\n'
  },
  {
    name: 'liar-acquitted',
    kind: 'lie believed',
    file: 'client/audit/verdict.ts',
    find: "  if (second.isOwn) return 'lied'\n  if (third === null) return 'undecided'\n",
    replace: "  if (second.isOwn || third === null || third.isOwn) return 'agreed'\n"
  }
]

/** The file's text with the fault in it. Throws where the line is not there exactly once. */
export function planted(text: string, { name, file, find, replace }: Plant): string {
  const parts = text.split(find)
  if (parts.length === 2) return parts.join(replace)
  throw new SwarmError(
    'INTERNAL',
    `plant ${name}: expected its line once in ${file}, found it ${parts.length - 1} times`
  )
}

/** Puts a fault into what is loaded from now on. Throws INVALID_ARGUMENT for a name that no plant has. */
export function plant(name: string): void {
  const found = plants.find(each => each.name === name)
  if (found === undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `--plant: expected one of ${plants.map(each => each.name).join(', ')}, found ${name}`
    )
  }
  const { href } = new URL(`../../${found.file}`, import.meta.url)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      return url === href ? { ...loaded, source: planted(String(loaded.source), found) } : loaded
    }
  })
}
