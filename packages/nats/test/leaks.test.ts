import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { expectNothingLeft } from '../../../test/support/adapters/nothing-left.ts'
import { addressOf, listening } from '../../../test/support/adapters/scene.ts'
import { eventually } from '../../../test/support/live.ts'
import { server } from './scene.ts'

const TLS_INFO = { server_id: 'x', version: '2.10.0', proto: 1, max_payload: 1000, tls_required: true }

test('leaves no socket, timer or connection behind after any end of a connection', async () => {
  const broker = await server({ monitor: true, users: { ann: 'right' } })
  const silent = await listening(createServer((socket) => socket.resume()))
  const greeting = `INFO ${JSON.stringify(TLS_INFO)}\r\n`
  const halfSecure = await listening(createServer((socket) => socket.resume().write(greeting)))
  const targets = [addressOf(broker), silent.address, halfSecure.address]
  await expectNothingLeft(new URL('./rounds.ts', import.meta.url), targets)
  await eventually(() => silent.sockets.size + halfSecure.sockets.size).toBe(0)
  await eventually(() => broker.monitor('varz')).toMatchObject({ connections: 0 })
  expect(await broker.monitor('connz')).toMatchObject({ num_connections: 0 })
})
