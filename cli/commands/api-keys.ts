// swarm api keys: makes, lists and revokes keys of the API. A gateway that runs takes notice at once.
import { Command } from 'commander'
import stringWidth from 'string-width'
import { withResource } from '../../common/resource.ts'
import type { ApiKey } from '../../gateway/storage/keys.ts'
import type { Store } from '../../gateway/storage/store.ts'
import { homeFolder, jsonOption, parsePositive } from '../options/options.ts'
import { print, screen } from '../terminal/terminal.ts'
import { oneLine, padTo } from '../terminal/text.ts'

interface CreateFlags {
  requestsPerMinute?: number
  tokensPerMinute?: number
  operator?: boolean
  json?: boolean
}

export function apiKeysCommand(): Command {
  return new Command('keys')
    .description('make, list and revoke keys of the API')
    .addCommand(
      new Command('create')
        .description('make a key and show it, once: only its hash is kept')
        .argument('<name>', 'whose key it is, for lists and logs')
        .option('--requests-per-minute <count>', 'limit of its own (default: that of the gateway)', parsePositive)
        .option('--tokens-per-minute <count>', 'limit of its own (default: that of the gateway)', parsePositive)
        .option('--operator', 'it also shows keys, requests of all callers, and metrics (default: its own use only)')
        .addOption(jsonOption())
        .action(create)
    )
    .addCommand(new Command('list').description('list the keys').addOption(jsonOption()).action(list))
    .addCommand(
      new Command('revoke')
        .description('make a key invalid, at once')
        .argument('<key>', 'id or name of the key')
        .addOption(jsonOption())
        .action(revoke)
    )
}

async function withStore(use: (store: Store) => void): Promise<void> {
  const { openStore } = await import('../../gateway/storage/store.ts')
  const store = await openStore(homeFolder())
  await withResource({ [Symbol.dispose]: () => store.close() }, async () => use(store))
}

async function create(name: string, { json, ...init }: CreateFlags): Promise<void> {
  await withStore(({ keys }) => {
    const { key, record } = keys.create({ name, ...init })
    if (json) print(JSON.stringify({ ...record, key }))
    else {
      print(key)
      screen.notice(`key ${record.id} of '${record.name}': keep it safe, it is not shown again`)
    }
  })
}

const day = (time: number | null): string => (time === null ? '-' : new Date(time * 1000).toISOString().slice(0, 10))

const limitOf = ({ requestsPerMinute, tokensPerMinute }: ApiKey): string =>
  [
    ...(requestsPerMinute === null ? [] : [`${requestsPerMinute} requests/min`]),
    ...(tokensPerMinute === null ? [] : [`${tokensPerMinute} tokens/min`])
  ].join(', ') || '-'

/** Rows under their heads, in columns. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => stringWidth(row[column]!))))
  return rows.map(row =>
    row
      .map((cell, column) => padTo(cell, widths[column]!))
      .join('  ')
      .trimEnd()
  )
}

async function list({ json }: { json?: boolean }): Promise<void> {
  await withStore(({ keys }) => {
    const all = keys.list()
    if (json) print(JSON.stringify(all))
    else if (all.length === 0) print("no keys: make one with 'swarm api keys create <name>'")
    else {
      const rows = all.map(key => [
        ...[key.id, oneLine(key.name), day(key.created), day(key.lastUsed), limitOf(key)],
        ...[key.operator ? 'operator' : 'user', key.revoked === null ? 'valid' : `revoked ${day(key.revoked)}`]
      ])
      for (const line of table([['id', 'name', 'created', 'last used', 'limits', 'role', 'state'], ...rows]))
        print(line)
    }
  })
}

async function revoke(idOrName: string, { json }: { json?: boolean }): Promise<void> {
  await withStore(({ keys }) => {
    const record = keys.revoke(idOrName)
    print(json ? JSON.stringify(record) : `revoked key ${record.id} of '${oneLine(record.name)}'`)
  })
}
