import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub, type Hub } from 'rivulet'
import { expect, test } from 'vitest'
import { pass, passUntil, stopTime } from '../../../test/support/fake-time.ts'
import { observe } from '../src/index.ts'
import { CollectedMetrics } from './collected-metrics.ts'
import { faults, operations, perform } from './random-operations.ts'

stopTime()

const NAMES = ['one', 'other']
const ENDS = ['messaging.client.sent.messages', 'rivulet.refused', 'rivulet.lost', 'rivulet.conflated']
const OPEN = ['rivulet.in_flight', 'rivulet.waiting']
const ARRIVALS = ['messaging.client.consumed.messages', 'rivulet.dropped']

test('the metrics of all groups add up to the ledger, and no counter decreases', async () => {
  await fc.assert(
    fc.asyncProperty(faults, fc.array(operations, { maxLength: 25 }), async (faults, todo) => {
      const bus = memoryBus(faults)
      const hubs = NAMES.map(() => createHub({ transport: bus.transport() }))
      for (const hub of hubs) hub.on('error', () => {})
      const collected = new CollectedMetrics()
      const destinationTemplate = (name: string) => (name === 'a' ? 'group' : undefined)
      for (const [index, hub] of hubs.entries())
        observe(hub, { meterProvider: collected.provider, name: NAMES[index] as string, destinationTemplate })
      let before = new Map<string, number>()
      const check = async () => {
        await pass(1, 1) // what is on its way has arrived
        await collected.read()
        for (const [index, hub] of hubs.entries()) expectSums(collected, hub, NAMES[index] as string)
        const { series } = collected
        expect([...series].filter(([, value]) => value < 0)).toEqual([])
        const fallen = [...before].filter(([line, value]) => !((series.get(line) ?? -1) >= value))
        expect(fallen.filter(([line]) => !/(in_flight|waiting|subscribers|hub\.up) /.test(line))).toEqual([])
        before = series
      }
      for (const operation of todo) {
        await perform(operation, bus, hubs)
        await check()
      }
      bus.thaw()
      bus.up()
      await passUntil(Promise.all(hubs.map((hub) => hub.close())))
      await check()
      await passUntil(collected.provider.shutdown())
    }),
    { numRuns: 60 },
  )
})

function expectSums(collected: CollectedMetrics, hub: Hub, name: string): void {
  const { attempts, received, inFlight, waiting } = hub.ledger()
  const sum = (names: readonly string[]) =>
    names.reduce((total, each) => total + (collected.valueOf(each, { 'rivulet.hub.name': name }) ?? 0), 0)
  expect(sum([...ENDS, ...OPEN])).toBe(attempts)
  expect(sum(OPEN)).toBe(inFlight + waiting)
  expect(sum(ARRIVALS)).toBe(received)
}
