import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { startProxy } from '../../../../test/support/fault-proxy.ts'
import { eventually, makeLive } from '../../../../test/support/live.ts'
import { HUB, serve } from '../../../gateway/test/support/scene.ts'
import { websocket } from '../../src/index.ts'

/** A page whose link a test can break, and one on a good link. */
async function pair() {
  const scene = await serve()
  const proxy = await startProxy({ port: scene.server.port })
  onTestFinished(() => proxy.close())
  const url = `ws://127.0.0.1:${proxy.port}/rivulet`
  const ann = makeLive({ transport: websocket({ url, WebSocket, token: () => 'ann' }), name: HUB })
  const errors: string[] = []
  ann.on('error', ({ message }) => errors.push(message))
  await ann.ready()
  const bob = await scene.page('bob')
  return { ...scene, proxy, ann, bob, errors }
}

test('notices a half-open link at both ends, though nothing is sent or listened to', async () => {
  const { proxy, ann, bob, server, errors } = await pair()
  proxy.mode = 'blackhole'
  await eventually(() => ann.status).toBe('down')
  await eventually(() => server.pages.counts.pages).toBe(1)
  expect(errors[0]).toContain('the server was silent for 6 seconds')
  expect(bob.status).toBe('up')
  proxy.mode = 'pass'
  await eventually(() => ann.status).toBe('up')
  await eventually(() => server.pages.counts.pages).toBe(2)
})

test('delivers nothing of a frozen link late, and counts what was published on it', async () => {
  const { proxy, ann, bob } = await pair()
  const heard: number[] = []
  const stream = bob.stream<{ n: number }>('positions')
  await stream.subscribe(({ data }) => heard.push(data.n)).ready
  ann.stream('positions').publish({ n: 1 })
  await eventually(() => heard).toEqual([1])
  await ann.flush()
  proxy.mode = 'unplug'
  for (let n = 2; n <= 11; n++) ann.stream('positions').publish({ n })
  await eventually(() => ann.status).toBe('down')
  proxy.mode = 'pass'
  await eventually(() => ann.status).toBe('up')
  ann.stream('positions').publish({ n: 12 })
  await eventually(() => heard.at(-1)).toBe(12)
  await ann.flush()
  const { confirmed, unconfirmed, accepted } = ann.ledger()
  expect({ confirmed, unconfirmed, accepted }).toEqual({ confirmed: 2, unconfirmed: 10, accepted: 12 })
  const { delivered, dropped } = bob.ledger()
  expect(heard.length).toBe(delivered)
  expect(dropped.duplicate).toBe(0)
  expect(heard.length + dropped.stale).toBeLessThanOrEqual(12)
})

test('a page that was frozen drops its connection before it reads what waited', async () => {
  const { ann, bob, errors, server } = await pair()
  const heard: unknown[] = []
  const stream = ann.stream('positions', { maxAgeMs: false })
  await stream.subscribe(({ data }) => heard.push(data)).ready
  await bob.flush()
  const { status } = ann
  expect(status).toBe('up')
  bob.stream('positions').publish({ n: 1 })
  await bob.flush()
  await eventually(() => heard.length).toBe(1)
  // The clock of a machine that slept is ahead when it wakes.
  const dateNow = Date.now
  onTestFinished(() => {
    Date.now = dateNow
  })
  Date.now = () => dateNow() + 60_000
  bob.stream('positions').publish({ n: 2 })
  await eventually(() => ann.status).not.toBe('up')
  expect(errors[0]).toContain('the page stood still')
  expect(heard).toEqual([{ n: 1 }])
  Date.now = dateNow
  await eventually(() => ann.status).toBe('up')
  await eventually(() => server.pages.counts.pages).toBe(2)
})
