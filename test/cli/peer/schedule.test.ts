import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMaxRate } from '../../../cli/options/options.ts'
import { followSchedule, isWithin, parseSchedule } from '../../../cli/peer/schedule.ts'

test('hours may go over midnight, and there may be several', () => {
  const night = parseSchedule('22:00-06:00')
  const at = (hours: number, minutes = 0) => hours * 60 + minutes
  for (const time of [at(22), at(23, 59), at(0), at(5, 59)]) assert.ok(isWithin(night, time), `${time}`)
  for (const time of [at(6), at(12), at(21, 59)]) assert.ok(!isWithin(night, time), `${time}`)
  const two = parseSchedule('08:30-12:00,20:00-24:00')
  assert.deepEqual(
    [at(8, 29), at(8, 30), at(12), at(20), at(23, 59), at(0)].map(time => isWithin(two, time)),
    [false, true, false, true, true, false]
  )
})

test('hours that are none are refused', () => {
  for (const text of ['', '22', '22:00', '25:00-01:00', '10:60-11:00', '10:00-10:00', '1-2-3', '24:30-02:00']) {
    assert.throws(() => parseSchedule(text), /expected/, text)
  }
})

test('whoever follows hears at once', context => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  let date = new Date(2026, 0, 1, 5, 59)
  const heard: boolean[] = []
  const ending = new AbortController()
  followSchedule(parseSchedule('22:00-06:00'), { signal: ending.signal, now: () => date }, isTime => heard.push(isTime))
  assert.deepEqual(heard, [true])
  context.mock.timers.tick(60_000)
  assert.deepEqual(heard, [true])
  date = new Date(2026, 0, 1, 6, 0)
  context.mock.timers.tick(60_000)
  assert.deepEqual(heard, [true, false])
  ending.abort()
  date = new Date(2026, 0, 1, 23, 0)
  context.mock.timers.tick(60_000)
  assert.deepEqual(heard, [true, false])
})

test('a rate is a share or tokens per second', () => {
  assert.deepEqual(parseMaxRate('25%'), { share: 0.25 })
  assert.deepEqual(parseMaxRate('100 %'), { share: 1 })
  assert.deepEqual(parseMaxRate('40'), { tokens: 40 })
  assert.deepEqual(parseMaxRate('0.5/s'), { tokens: 0.5 })
  for (const text of ['', '0', '0%', '101%', '-3', 'fast', '5%/s'])
    assert.throws(() => parseMaxRate(text), /expected/, text)
})
