import { execFile } from 'node:child_process'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { addressOf, eventually, server } from './scene.ts'

const ROUNDS = fileURLToPath(new URL('./rounds.ts', import.meta.url))
const TLS_INFO = { server_id: 'x', version: '2.10.0', proto: 1, max_payload: 1000, tls_required: true }

/** Listens until the test ends, greets each connection, and says nothing more. */
async function peer(greeting: string) {
  const sockets = new Set<Socket>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
    socket.write(greeting)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  })
  return { address: `127.0.0.1:${(listener.address() as AddressInfo).port}`, sockets }
}

test('leaves no socket, timer or connection behind, however a connection came to its end', async () => {
  const broker = await server({ monitor: true, users: { ann: 'right' } })
  const silent = await peer('')
  const halfSecure = await peer(`INFO ${JSON.stringify(TLS_INFO)}\r\n`)
  const args = ['--conditions=@rivulet/source', '--import', 'tsx', ROUNDS]
  const targets = [addressOf(broker), silent.address, halfSecure.address]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...args, ...targets])
  const { before, after, downs } = JSON.parse(stdout)
  expect(after).toEqual(before)
  expect(downs).toBe(0)
  expect(stderr).toBe('')
  await eventually(() => silent.sockets.size + halfSecure.sockets.size).toBe(0)
  await expect.poll(() => broker.monitor('varz')).toMatchObject({ connections: 0 })
  expect(await broker.monitor('connz')).toMatchObject({ num_connections: 0 })
})
