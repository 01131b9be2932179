import dns from 'node:dns'
import { createServer } from 'node:tls'
import { expect, onTestFinished, test, vi } from 'vitest'
import { authority, listening } from '../../../test/support/adapters/scene.ts'
import { rejection, shortHost } from '../../../test/support/adapters/waits.ts'
import { eventually } from '../../../test/support/live.ts'
import { transportTo } from './scene.ts'

/** Begins to open, and returns a function that aborts it and resolves to the error's message. */
function opening(...target: Parameters<typeof transportTo>) {
  const leaving = new AbortController()
  const outcome = rejection(transportTo(...target).open(shortHost(), leaving.signal))
  return async () => {
    leaving.abort(new Error('enough'))
    return (await outcome).message
  }
}

test('sends a server the name by which it was dialled', async () => {
  const trusted = authority()
  const names: unknown[] = []
  const silent = createServer(trusted.issue(), (socket) => names.push(socket.servername))
  const { address } = await listening(silent)
  const tls = { ca: trusted.ca, handshakeFirst: true }
  const leave = opening([address.replace('127.0.0.1', 'localhost')], { tls })
  await eventually(() => names).toEqual(['localhost'])
  expect(await leave()).toBe('enough')
})

test('gives up a dial while a name is looked up', async () => {
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation((() => {}) as unknown as typeof dns.lookup)
  onTestFinished(() => lookup.mockRestore())
  const leave = opening(['nats.example:4222'])
  await eventually(() => lookup.mock.calls.length).toBe(1)
  expect(await leave()).toBe('enough')
})
