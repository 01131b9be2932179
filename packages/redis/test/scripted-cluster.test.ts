import { expect, test } from 'vitest'
import { startScripted } from '../../../test/support/adapters/dials.ts'
import { POSITIONS, rejection, within } from '../../../test/support/adapters/recorder.ts'
import { eventually } from '../../../test/support/live.ts'
import { opened } from './scene.ts'
import { pushed } from './scripted-server.ts'

const MOVED = '-MOVED 5649 127.0.0.1:1\r\n'
/** The hub goes down, connects anew and asks for the slots again. */
const LOSS = 'The connection to Redis ended: MOVED 5649 127.0.0.1:1.'

/** Starts the one node of a cluster: it has all slots, in two ranges that it tells in another order each time. */
async function scriptedNode() {
  const script = await startScripted(
    { joined: pushed('ssubscribe', ':1'), published: ':0\r\n', asked: 0 },
    (socket, said) => {
      const port = Number(script.address.split(':')[1])
      // Without a host, as a node tells that does not know its own.
      const ranges = [
        [0, 8_191],
        [8_192, 16_383],
      ].map(([first, last]) => `*3\r\n:${first}\r\n:${last}\r\n*2\r\n$0\r\n\r\n:${port}\r\n`)
      socket.on('data', (data) => {
        for (const [, command] of data
          .toString()
          .matchAll(/\r\n(HELLO|SLOTS|SSUBSCRIBE|SPUBLISH)(?=\r\n)/gi)) {
          if (command === 'HELLO') socket.write('%0\r\n')
          else if (command === 'SLOTS') {
            script.asked += 1
            socket.write(`*2\r\n${(script.asked % 2 === 0 ? ranges : [...ranges].reverse()).join('')}`)
          } else socket.write(command === 'SPUBLISH' ? said.published : said.joined)
        }
      })
    },
  )
  return script
}

async function scene() {
  const node = await scriptedNode()
  return { node, ...(await opened([node.address], { sharded: true })) }
}

test('takes slots that are told in another order for the same', async () => {
  const { node, transport, host } = await scene()
  await transport.join(POSITIONS, within())
  const before = node.asked
  await eventually(() => node.asked).toBeGreaterThan(before + 2)
  expect(transport.send(POSITIONS, 'x')).toBe('sent')
  expect(host.downs).toEqual([])
})

test('ends when a frame is for a channel that has moved', async () => {
  const { node, transport, host } = await scene()
  node.published = MOVED
  transport.send(POSITIONS, 'x')
  await eventually(() => host.downs).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE', message: LOSS }])
  expect(host.errors).toEqual([])
})

test('ends when a join is for a channel that has moved', async () => {
  const { node, transport, host } = await scene()
  node.joined = MOVED
  await rejection(transport.join(POSITIONS, within()))
  expect(host.downs).toMatchObject([{ message: LOSS }])
})

test('stays up when a frame is refused for another reason, and tells of that', async () => {
  const { node, transport, host } = await scene()
  node.published = '-NOPERM it was not MOVED\r\n'
  transport.send(POSITIONS, 'x')
  await eventually(() => host.errors).toMatchObject([
    { topic: POSITIONS, error: { message: 'Redis refused a frame: NOPERM it was not MOVED.' } },
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
