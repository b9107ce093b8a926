// The hub's cache where the file system has no links, as on Windows without developer mode, exFAT, and some network disks.
import assert from 'node:assert/strict'
import { link, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type LinkCalls, linkFile, replaceLink } from '../../../model/hub/links.ts'
import { temporaryFolder } from '../../../testing/references.ts'

const refuse = async (): Promise<never> => {
  throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' })
}

const systems: Record<string, LinkCalls & { isLink: boolean; isSame: boolean }> = {
  'with links': { symlink, link, isLink: true, isSame: true },
  'with hard links alone': { symlink: refuse, link, isLink: false, isSame: true },
  'without links': { symlink: refuse, link: refuse, isLink: false, isSame: false }
}

for (const [name, calls] of Object.entries(systems)) {
  describe(`a file system ${name}`, () => {
    test('has a file under other names, in place of what was there', async t => {
      const folder = await temporaryFolder(t)
      const [file, blob, shown] = ['partial', 'blob', 'shown'].map(part => join(folder, part)) as [
        string,
        string,
        string
      ]
      await writeFile(file, 'weights')
      await writeFile(shown, 'old')
      await linkFile(file, blob, calls)
      await replaceLink('blob', shown, calls)
      assert.equal(await readFile(blob, 'utf8'), 'weights')
      assert.equal(await readFile(shown, 'utf8'), 'weights')
      assert.equal((await lstat(shown)).isSymbolicLink(), calls.isLink)
      assert.equal((await stat(shown)).ino === (await stat(file)).ino, calls.isSame)
      assert.deepEqual((await readdir(folder)).sort(), ['blob', 'partial', 'shown'])
      // what another process has put there first stays
      await writeFile(file, 'later')
      if (calls.isSame) await linkFile(file, blob, calls)
      assert.ok(await readFile(blob, 'utf8'))
    })
  })
}
