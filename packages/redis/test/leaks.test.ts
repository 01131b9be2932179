import { execFile } from 'node:child_process'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { redisCommand, unixSocketOf } from '../../../test/support/redis-servers.ts'
import { addressOf, eventually, server } from './scene.ts'

const ROUNDS = fileURLToPath(new URL('./rounds.ts', import.meta.url))

/** Listens until the test ends, and says nothing. */
async function silentPeer() {
  const sockets = new Set<Socket>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  })
  return { address: `127.0.0.1:${(listener.address() as AddressInfo).port}`, sockets }
}

test('leaves no socket, timer or connection behind, however a connection came to its end', async () => {
  const config = (folder: string) => `unixsocket ${unixSocketOf(folder)}`
  const broker = await server({ users: { ann: 'right' }, config })
  const silent = await silentPeer()
  const args = ['--conditions=@rivulet/source', '--import', 'tsx', ROUNDS]
  const targets = [addressOf(broker), silent.address, unixSocketOf(broker.folder)]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...args, ...targets])
  const { before, after, downs } = JSON.parse(stdout)
  expect(after).toEqual(before)
  expect(downs).toBe(0)
  expect(stderr).toBe('')
  await eventually(() => silent.sockets.size).toBe(0)
  const ann = ['--user', 'ann', '--pass', 'right', '--no-auth-warning']
  await eventually(() => redisCommand(broker, ...ann, 'INFO', 'clients')).toContain('connected_clients:1\r')
})
