// The document of the protocol says what the code does.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { errorCodes } from '../../common/errors.ts'
import { dhtProtocol, protocols } from '../../proto/protocols.ts'

const text = readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8')

/** Text of the first column of a table, by its heading. */
function firstColumn(heading: string): string[] {
  const lines = text.split('\n')
  const start = lines.findIndex(line => line.startsWith(`| ${heading} |`))
  assert.notEqual(start, -1, `a table with the column '${heading}'`)
  const rows = lines.slice(start + 2)
  return rows
    .slice(
      0,
      rows.findIndex(line => !line.startsWith('|'))
    )
    .map(line => line.split('|')[1]!.trim().replaceAll('`', ''))
}

describe('docs/protocol.md', () => {
  test('has a row for each protocol id', () => {
    assert.deepEqual(firstColumn('protocol id').toSorted(), Object.values(protocols).toSorted())
  })

  test('names no other version of a protocol anywhere', () => {
    const ids = [...text.matchAll(/\/swarmtune\/[a-z-]+\/\d+\.\d+\.\d+/g)].map(([id]) => id)
    const known: readonly string[] = [...Object.values(protocols), dhtProtocol]
    assert.ok(ids.length > known.length)
    assert.deepEqual(
      ids.filter(id => !known.includes(id)),
      []
    )
  })

  test('has a row for each error code', () => {
    assert.deepEqual(firstColumn('code').toSorted(), Object.keys(errorCodes).toSorted())
  })
})
