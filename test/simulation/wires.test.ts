// Wires between simulated machines: what is sent arrives once and in order, whatever the weather.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Pipe } from '../../testing/simulation/wires.ts'
import { World } from '../../testing/simulation/world.ts'

const send = (world: World, pipe: Pipe, count: number) =>
  new Promise<number[]>((resolve, reject) => {
    const arrived: number[] = []
    for (let index = 0; index < count; index++) {
      const take = () => {
        arrived.push(index)
        if (arrived.length === count) resolve(arrived)
      }
      world.wires.send(pipe, 100, take, () => reject(new Error(`${index} was lost`)))
    }
  })

suite('wires', () => {
  test('keep the order of what is sent through loss, jitter and a partition', async () => {
    const world = new World({ seed: 1 })
    const [from, to] = [world.addMachine('a'), world.addMachine('b')]
    Object.assign(world.wires.weather, { loss: 0.3, jitterMs: 500 })
    world.wires.cut(from, to)
    world.clock.after(30_000, () => world.wires.mend(from, to), null)
    const arrived = await world.clock.run(send(world, new Pipe(from, to), 50))
    assert.deepEqual(arrived, [...Array(50).keys()])
    assert.ok(world.clock.now > 30_000)
  })

  test('give up what cannot be delivered for a quarter of an hour', async () => {
    const world = new World({ seed: 1 })
    const [from, to] = [world.addMachine('a'), world.addMachine('b')]
    to.isOn = false
    await assert.rejects(world.clock.run(send(world, new Pipe(from, to), 1)), /0 was lost/)
    assert.ok(world.clock.now > 15 * 60_000 && world.clock.now < 17 * 60_000, String(world.clock.now))
  })

  test('draw the same from the same seed', async () => {
    const times = async (seed: number) => {
      const world = new World({ seed })
      world.wires.weather.loss = 0.2
      await world.clock.run(send(world, new Pipe(world.addMachine('a'), world.addMachine('b')), 20))
      return world.clock.now
    }
    assert.equal(await times(4), await times(4))
    assert.notEqual(await times(4), await times(5))
  })
})
