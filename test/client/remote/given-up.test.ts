import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenUp } from '../../../client/remote/peers/given-up.ts'
import { failure } from './fake-swarm.ts'

const host = (peerId: string, firstBlock: number, endBlock: number) => ({ peerId, firstBlock, endBlock })
const servers = [host('a', 0, 2), host('b', 2, 4), host('c', 1, 3)]
const blocks = { first: 0, end: 4 }
const error = failure('UNREACHABLE', 'gone')

test('blocks whose servers have all failed are named, with what each said', () => {
  const found = givenUp(
    error,
    blocks,
    servers,
    new Map([
      ['b', 'no answer'],
      ['c', '']
    ])
  )
  assert.equal(found.code, 'BLOCKS_UNAVAILABLE')
  assert.equal(found.cause, error)
  // block 1 has a server left, and 3 none but the one that failed
  assert.match(
    found.message,
    /left for blocks 2\.\.3, .*\(peer …b, blocks 2\.\.3: no answer; peer …c, blocks 1\.\.2: failed\)/
  )
})

test('of many servers only some are told of', () => {
  const many = Array.from({ length: 9 }, (_, index) => host(`p${index}`, 0, 4))
  const { message } = givenUp(error, blocks, many, new Map(many.map(({ peerId }) => [peerId, 'gone'])))
  assert.match(message, /peer …p3, blocks 0\.\.3: gone; and 5 more\)/)
  assert.doesNotMatch(message, /p4/)
})

test('where each block has another server, or none at all, the error stays what it is', () => {
  assert.equal(givenUp(error, blocks, servers, new Map([['c', 'gone']])), error)
  assert.equal(givenUp(error, { first: 4, end: 6 }, servers, new Map([['a', 'gone']])), error)
})

test('what no other server can help with stays what it is', () => {
  const wrong = failure('INVALID_ARGUMENT')
  assert.equal(givenUp(wrong, blocks, servers, new Map(servers.map(({ peerId }) => [peerId, 'gone']))), wrong)
})
