// Refuses a Node that is too old for the libraries below the SDK, before they fail with errors that do not name it. The command
// checks the same in cli/bin.js; runtime/library.ts checks what computing needs.
import { SwarmError } from '../errors.ts'

/** Throws UNSUPPORTED that names the release that is needed. @param node such as `20.20.2`; undefined outside Node */
export function checkNodeRelease(node: string | undefined): void {
  if (node === undefined) return
  const [major = 0, minor = 0] = node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return
  throw new SwarmError(
    'UNSUPPORTED',
    `swarmtune needs Node 24.9 or newer, or 22.21 or newer of Node 22; this is ${node}`
  )
}

checkNodeRelease(globalThis.process?.versions?.node)
