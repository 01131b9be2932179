import { createHub } from 'rivulet'
import { expect, test } from 'vitest'
import { pass, passUntil, stopTime } from '../support/fake-time.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

test('each cause of an outage is told once, also when two of them alternate', async () => {
  const transport = new ScriptedTransport()
  transport.answers.open = new Error('one')
  const hub = createHub({ transport })
  const told: string[] = []
  hub.on('error', ({ cause }) => told.push((cause as Error).message))
  for (let attempt = 0; attempt < 20; attempt++) {
    transport.answers.open = new Error(attempt % 2 ? 'one' : 'other')
    await pass(1_000, 100)
  }
  expect(transport.opens.length).toBeGreaterThan(15)
  expect(told).toHaveLength(2)
  expect(new Set(told)).toEqual(new Set(['one', 'other']))

  transport.answers.open = 'resolve'
  await passUntil(hub.ready(), 100)
  transport.answers.open = new Error('one')
  transport.host.down(new Error('gone'))
  await pass(3_000, 100)
  expect(told.slice(2)).toEqual(['gone', 'one'])
  await passUntil(hub.close(), 100)
})
