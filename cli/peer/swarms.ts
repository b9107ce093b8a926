// The swarms that this machine is a member of: one file each under the home folder, for its owner's eyes only.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { checkFormat } from '../../common/files/format-version.ts'
import { writeNew, writeWhole } from '../../common/files/whole-file.ts'
import { checkPrivate } from '../../network/private/identity.ts'
import {
  checkSwarmName,
  formatInvite,
  type Invite,
  looksLikeInvite,
  parseInvite
} from '../../network/private/invite.ts'
import { homeFolder } from '../options/options.ts'

/** of a swarm's file */
const formatVersion = 1

const fileSchema = z.object({ invite: z.string(), created: z.string(), rotated: z.string().optional() })

/** What is kept of a swarm. */
export interface StoredSwarm {
  readonly invite: Invite
  /** ISO 8601 */
  readonly created: string
  /** when the secret was last replaced */
  readonly rotated?: string
}

function folder(): string {
  return join(homeFolder(), 'swarms')
}

export function swarmPath(name: string): string {
  return join(folder(), `${checkSwarmName(name)}.json`)
}

/** Names of the swarms on this machine. */
export async function listSwarms(): Promise<string[]> {
  const files = await readdir(folder()).catch(() => [])
  return files.flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : [])).sort()
}

/** Throws NOT_FOUND naming the swarms that there are, INVALID_ARGUMENT where the file is damaged or open to others, UNSUPPORTED for one of a later release. */
export async function readSwarm(name: string): Promise<StoredSwarm> {
  const path = swarmPath(name)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    const known = (await listSwarms()).join(', ') || 'none'
    const next = /^swarm\d./.test(name)
      ? 'an invite is longer than this; copy all of it again'
      : `make it with 'swarm init ${name}', or give an invite, swarm1…`
    throw new SwarmError('NOT_FOUND', `no swarm '${name}' on this machine (known: ${known}): ${next}`, { cause })
  }
  await checkPrivate(path, 'swarm file')
  try {
    const value: unknown = JSON.parse(text)
    const { format } = (value ?? {}) as { format?: unknown }
    const next = `update swarmtune, or take the invite anew under another name with 'swarm init <invite>'`
    checkFormat(format, { path, what: 'a swarm', format: formatVersion, next })
    const { invite, ...times } = fileSchema.parse(value)
    return { invite: parseInvite(invite), ...times }
  } catch (cause) {
    if (cause instanceof SwarmError && cause.code === 'UNSUPPORTED') throw cause
    throw new SwarmError('INVALID_ARGUMENT', `${path} is damaged: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Writes the file whole or not at all, mode 0600 in a folder of mode 0700. Returns its path.
 * @param options.isNew throws INVALID_ARGUMENT where the swarm is there already: another process may make it at this moment
 */
export async function writeSwarm(
  { invite, ...times }: StoredSwarm,
  { isNew = false }: { readonly isNew?: boolean } = {}
): Promise<string> {
  const path = swarmPath(invite.name)
  await makeFolder(folder(), { mode: 0o700 })
  const text = `${JSON.stringify({ format: formatVersion, invite: formatInvite(invite), ...times }, null, 2)}\n`
  if (!isNew) await writeWhole(path, text, { mode: 0o600 })
  else if (!(await writeNew(path, text, { mode: 0o600 }))) {
    const hint = '--show prints its invite, --peer changes its addresses, --rotate replaces its secret'
    throw new SwarmError('INVALID_ARGUMENT', `swarm '${invite.name}' is there already (${path}): ${hint}`)
  }
  return path
}

/** The swarm that an invite or a name means. */
export async function resolveSwarm(text: string): Promise<Invite> {
  return looksLikeInvite(text) ? parseInvite(text) : (await readSwarm(text)).invite
}
