// How servers are doing, by asking each.
import type { Announcement } from '../../network/discovery/announcement.ts'
import type { Network } from '../../network/network.ts'
import { protocols } from '../../proto/protocols.ts'
import type { ServerLoad } from './coverage.ts'

/** A server that takes longer has no answer. */
const infoTimeoutMs = 5000

/** null: no answer. Never throws. */
export async function loadOf(
  network: Pick<Network, 'request'>,
  { peerId, addresses, state }: Pick<Announcement, 'peerId' | 'addresses' | 'state'>,
  signal?: AbortSignal
): Promise<ServerLoad | null> {
  // one that is still loading answers nothing
  if (state === 'joining') return null
  try {
    const asking = { addresses, timeoutMs: infoTimeoutMs, ...(signal && { signal }) }
    const { body } = await network.request(
      peerId,
      protocols.info,
      { body: { kind: 'infoRequest' }, tensors: {} },
      asking
    )
    if (body.kind !== 'infoResponse') return null
    const { sessions, queueLength, cacheBytesUsed, cacheBytesTotal } = body
    return { sessions, queueLength, cacheBytesUsed, cacheBytesTotal }
  } catch {
    // its row says so
    return null
  }
}
