import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { startScripted } from '../../../test/support/adapters/dials.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { opened, transportTo } from './scene.ts'
import { pushed } from './scripted-server.ts'

const MOVED = '-MOVED 5649 127.0.0.1:1\r\n'
const ELSEWHERE = 'The channel belongs to another node of the cluster: MOVED 5649 127.0.0.1:1.'

/**
 * Starts the one node of a cluster: it has all slots, in two ranges that it reports in another order each time. It
 * reports no host, like a node that does not know its own.
 */
function scriptedNode(host?: string) {
  const lines = { slots: '', joined: pushed('ssubscribe', ':1'), published: ':0\r\n', asked: 0 }
  const serve = (socket: Socket, node: typeof lines) => {
    const answerOf = (command = '') => {
      if (command === 'HELLO') return '%0\r\n'
      if (command === 'PING') return '+PONG\r\n'
      if (command === 'SPUBLISH') return node.published
      if (command.toLowerCase() === 'ssubscribe') return node.joined
      node.asked += 1
      return node.slots || slotsAt('', socket.localPort as number, node.asked % 2 === 0)
    }
    socket.on('data', (data) => {
      const commands = data.toString().matchAll(/\r\n(HELLO|PING|SLOTS|ssubscribe|SPUBLISH)(?=\r\n)/gi)
      for (const [, command] of commands) socket.write(answerOf(command))
    })
  }
  return startScripted(lines, serve, host)
}

/** A node's answer for the slots. */
function slotsAt(host: string, port: number, isSorted = true): string {
  const ranges = [
    [0, 8_191],
    [8_192, 16_383],
  ].map(([first, last]) => `*3\r\n:${first}\r\n:${last}\r\n*2\r\n$${host.length}\r\n${host}\r\n:${port}\r\n`)
  return `*2\r\n${(isSorted ? ranges : ranges.reverse()).join('')}`
}

async function scene() {
  const node = await scriptedNode()
  return { node, ...(await opened([node.address], { sharded: true })) }
}

test('considers slots in another order the same', async () => {
  const { node, transport, host } = await scene()
  await transport.join(POSITIONS, within())
  const before = node.asked
  await eventually(() => node.asked).toBeGreaterThan(before + 2)
  expect(transport.send(POSITIONS, 'x')).toBe('sent')
  expect(host.downs).toEqual([])
})

test('reports a frame for a moved channel, and asks for the slots at once', async () => {
  const { node, transport, host } = await scene()
  node.published = MOVED
  const before = node.asked
  transport.send(POSITIONS, 'x')
  await eventually(() => host.errors).toMatchObject([
    { topic: POSITIONS, cause: { code: 'TRANSPORT_UNAVAILABLE', message: ELSEWHERE } },
  ])
  await eventually(() => node.asked).toBeGreaterThan(before)
  expect(host.downs).toEqual([])
})

test('rejects a join of a moved channel as an outage, and asks for the slots at once', async () => {
  const { node, transport, host } = await scene()
  node.joined = MOVED
  const before = node.asked
  expect(await rejection(transport.join(POSITIONS, within()))).toMatchObject({
    code: 'TRANSPORT_UNAVAILABLE',
    message: ELSEWHERE,
  })
  await eventually(() => node.asked).toBeGreaterThan(before)
  expect(host).toMatchObject({ errors: [], downs: [] })
})

test('stays up when a frame is refused for another reason, and reports that', async () => {
  const { node, transport, host } = await scene()
  node.published = '-NOPERM it was not MOVED\r\n'
  transport.send(POSITIONS, 'x')
  await eventually(() => host.errors).toMatchObject([
    { topic: POSITIONS, cause: { message: 'Redis refused a frame: NOPERM it was not MOVED.' } },
  ])
  expect(host.downs).toEqual([])
})

test('ends when the node takes back a channel, as it does when the slot moves', async () => {
  const { node, transport, host } = await scene()
  await transport.join(POSITIONS, within())
  node.say(pushed('sunsubscribe', ':0'))
  await eventually(() => host.downs).toMatchObject([
    { message: 'The connection to Redis ended: slots of the cluster have moved.' },
  ])
})

test('dials the host that a node announces', async () => {
  const host = '127.0.0.2'
  const [asked, announced] = [await scriptedNode(), await scriptedNode(host)]
  asked.slots = slotsAt(host, Number(announced.address.split(':')[1]))
  announced.slots = asked.slots
  const { transport } = await opened([asked.address], { sharded: true })
  await transport.join(POSITIONS, within())
  expect([asked.connections, announced.connections]).toEqual([1, 1])
})

test('does not open without permission to ask for the slots', async () => {
  const node = await scriptedNode()
  node.slots = '-NOPERM no permission to ask\r\n'
  const error = await rejection(transportTo([node.address], { sharded: true }).open(shortHost(), within()))
  expect(error.message).toContain('NOPERM no permission to ask')
})

test('takes the dialled host for a node without one of its own', async () => {
  const node = await scriptedNode()
  node.slots = slotsAt('', await freePort())
  const server = node.address.replace('127.0.0.1', 'localhost')
  const error = await rejection(transportTo([server], { sharded: true }).open(shortHost(), within()))
  expect(error.message).toMatch(/\(localhost:\d+: (?:connect )?ECONNREFUSED/)
})

test('takes this machine for a node behind a Unix socket without a host of its own', async () => {
  const node = await scriptedNode()
  node.slots = slotsAt('', await freePort())
  const path = await unixSocketTo(node.address)
  const error = await rejection(transportTo([], { path, sharded: true }).open(shortHost(), within()))
  expect(error.message).toMatch(/\(127\.0\.0\.1:\d+: (?:connect )?ECONNREFUSED/)
})

/** Makes a Unix socket that leads to a server, until the test ends. */
async function unixSocketTo(address: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-'))
  const door = createServer((socket) => {
    const inner = connect(Number(address.split(':')[1]), '127.0.0.1')
    pipeline(socket, inner, socket, () => {})
  })
  onTestFinished(() => {
    door.close()
    rmSync(folder, { recursive: true })
  })
  const path = join(folder, 'socket')
  await once(door.listen(path), 'listening')
  return path
}
