import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'

// Makes so many connections, joins each to one of the streams, answers pings, and checks that the numbers of each
// publisher follow each other. Runs in a process of its own. The kinds of messages are those of the protocol of
// @rivulet/websocket, version 1.
const KIND = { hello: 1, join: 2, frame: 4, barrier: 5, pong: 7, welcome: 17, joined: 18, ping: 24 }
const AT_ONCE = 50
const PUBLISHING = 100
const totals = { received: 0, lost: 0, twice: 0, published: { messages: 0, heardByOthers: 0 } }
const pages = []
let publishing

function message(kind, ...parts) {
  return Buffer.concat([Buffer.from([kind]), ...parts])
}

function numbered(id) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(id)
  return bytes
}

async function connect(url, name, index) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/rivulet`, { perMessageDeflate: false })
  const topic = Buffer.from(`rivulet/default/${name}`)
  const answered = answersOf(socket)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const welcome = answered(KIND.welcome)
  const secret = randomBytes(16).toString('hex')
  socket.send(message(KIND.hello, Buffer.from(JSON.stringify({ version: 1, hub: 'default', secret }))))
  const [prefix] = JSON.parse((await welcome).subarray(1)).prefixes
  const joined = answered(KIND.joined)
  socket.send(message(KIND.join, numbered(1), topic))
  await joined
  return {
    name,
    publish: publisherOf(socket, topic, index, prefix),
    async settled() {
      const barrier = answered(KIND.barrier)
      socket.send(message(KIND.barrier, numbered(2)))
      await barrier
    },
  }
}

/** Takes what comes, and returns how to wait for the next message of a kind. */
function answersOf(socket) {
  const next = new Map()
  const waiting = new Map()
  socket.on('message', (data) => {
    const [kind] = data
    if (kind === KIND.ping) socket.send(message(KIND.pong))
    else if (kind === KIND.frame) count(data.subarray(3 + data.readUInt16BE(1)), next)
    else waiting.get(kind)?.(data)
  })
  return (kind) => new Promise((resolve) => waiting.set(kind, resolve))
}

/** Counts the messages of a frame. `next` has the number that is expected of each publisher. */
function count(frame, next) {
  const parsed = JSON.parse(frame.toString())
  for (const { sid } of Array.isArray(parsed) ? parsed : [parsed]) {
    totals.received++
    const publisher = sid.slice(2, 18)
    const number = Number.parseInt(sid.slice(18), 16)
    const expected = next.get(publisher) ?? number
    if (number < expected) totals.twice++
    else totals.lost += number - expected
    next.set(publisher, Math.max(expected, number + 1))
  }
}

function publisherOf(socket, topic, index, prefix) {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(topic.length)
  let published = 0
  return () => {
    const sid = `TZ${prefix}0000${(++published).toString(16).padStart(16, '0')}`
    const frame = JSON.stringify({ data: { index }, sid, t: published * 1000 })
    socket.send(message(KIND.frame, length, topic, Buffer.from(frame)))
  }
}

function publishAll() {
  for (const page of pages.filter((_, index) => index % PUBLISHING === 0)) {
    page.publish()
    totals.published.messages++
    totals.published.heardByOthers += pages.filter(({ name }) => name === page.name).length - 1
  }
}

process.on('message', async (order) => {
  if (order === 'publish') {
    publishAll()
    publishing = setInterval(publishAll, 1000)
    return
  }
  if (order === 'settle') {
    clearInterval(publishing)
    await Promise.all(pages.map((page) => page.settled()))
    return process.send('settled')
  }
  if (order === 'report') return process.send(totals)
  if (order === 'stop') return process.exit(0)
  const { url, count, names } = order
  for (let start = 0; start < count; start += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, index) => start + index)
    pages.push(...(await Promise.all(group.map((index) => connect(url, names[index % names.length], index)))))
  }
  process.send('joined')
})
