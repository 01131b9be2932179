import { createServer } from 'node:net'
import { test } from 'vitest'
import { expectNothingLeft } from '../../../test/support/adapters/nothing-left.ts'
import { addressOf, listening } from '../../../test/support/adapters/scene.ts'
import { eventually } from '../../../test/support/live.ts'
import { redisCommand, unixSocketOf } from '../../../test/support/redis-servers.ts'
import { server } from './scene.ts'

test('leaves no socket, timer or connection behind after any end of a connection', async () => {
  const config = (folder: string) => `unixsocket ${unixSocketOf(folder)}`
  const broker = await server({ users: { ann: 'right' }, config })
  const silent = await listening(createServer((socket) => socket.resume()))
  const targets = [addressOf(broker), silent.address, unixSocketOf(broker.folder)]
  await expectNothingLeft(new URL('./rounds.ts', import.meta.url), targets)
  await eventually(() => silent.sockets.size).toBe(0)
  const ann = ['--user', 'ann', '--pass', 'right', '--no-auth-warning']
  await eventually(() => redisCommand(broker, ...ann, 'INFO', 'clients')).toContain('connected_clients:1\r')
})
