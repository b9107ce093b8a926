// Tests whether multicast packets return to this machine, which discovery on a LAN needs.

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { messageOf } from '../../common/errors.ts'
import { type Finding, ok, warn } from './finding.ts'

const group = '224.0.0.251'
const timeoutMs = 2000
const mend =
  'give the interface a route (ip route add 224.0.0.0/4 dev <interface>) and let UDP 5353 through, or use --join'

/** Sends one packet to the group of mDNS, on a port of its own, and waits for it. */
export async function checkMulticast(): Promise<Finding> {
  const token = randomBytes(16)
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const done = Promise.withResolvers<Finding>()
  const timer = setTimeout(
    () => done.resolve(warn('multicast', `a packet to ${group} does not come back`, mend)),
    timeoutMs
  )
  socket.on('error', error => done.resolve(warn('multicast', messageOf(error), mend)))
  socket.on('message', data => {
    if (data.equals(token)) done.resolve(ok('multicast', `packets to ${group} come back`))
  })
  socket.bind(0, () => {
    try {
      socket.addMembership(group)
      socket.setMulticastLoopback(true)
      socket.send(token, socket.address().port, group, error => {
        if (error) done.resolve(warn('multicast', messageOf(error), mend))
      })
    } catch (error) {
      done.resolve(warn('multicast', messageOf(error), mend))
    }
  })
  const finding = await done.promise
  clearTimeout(timer)
  socket.close()
  return finding
}
