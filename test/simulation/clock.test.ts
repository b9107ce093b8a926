// Virtual time: what happens when, and to whom.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Clock } from '../../testing/simulation/clock.ts'
import { createMachine, current, type Incarnation } from '../../testing/simulation/machine.ts'

const processOn = (name: string): Incarnation => ({
  machine: createMachine(name, '10.0.0.1', '/tmp'),
  number: 1,
  home: '/tmp',
  isDead: false
})

suite('a clock', () => {
  test('runs events in the order of their times, those of one time in the order they were asked for', async () => {
    const clock = new Clock()
    const seen: string[] = []
    const note = (what: string) => () => void seen.push(`${what} at ${clock.now}`)
    clock.after(20, note('late'))
    clock.after(10, note('first'))
    clock.after(10, note('second'))
    clock.cancel(clock.after(15, note('cancelled')))
    await clock.run(new Promise<void>(resolve => clock.after(30, resolve)))
    assert.deepEqual(seen, ['first at 10', 'second at 10', 'late at 20'])
  })

  test('lets promises have their turn before the next event', async () => {
    const clock = new Clock()
    const seen: string[] = []
    clock.after(1, () => {
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => seen.push('promise'))
    })
    clock.after(1, () => void seen.push('event'))
    await clock.run(new Promise<void>(resolve => clock.after(2, resolve)))
    assert.deepEqual(seen, ['promise', 'event'])
  })

  test('holds the events of a machine that stands still, and drops those of a process that is dead', async () => {
    const clock = new Clock()
    const [still, dead] = [processOn('still'), processOn('dead')]
    still.machine.frozenUntil = 50
    const seen: string[] = []
    const note = () => void seen.push(`${current()?.machine.name ?? 'world'} at ${clock.now}`)
    clock.after(10, note, still)
    clock.after(20, note, dead)
    clock.after(30, note, null)
    dead.isDead = true
    await clock.run(new Promise<void>(resolve => clock.after(60, resolve)))
    assert.deepEqual(seen, ['world at 30', 'still at 50'])
  })

  test('says so when nothing is left that could settle the work', async () => {
    const clock = new Clock()
    clock.after(5, () => {})
    await assert.rejects(clock.run(new Promise(() => {})), /at 5 ms nothing is left to happen/)
  })
})
