import { once } from 'node:events'
import { WebSocket } from 'ws'

// Makes one connection for each token, subscribes it to one of the streams, acknowledges every notification as the
// SDK does, and checks that the numbers in the data follow each other. Runs in a process of its own.
const totals = { received: 0, lost: 0, twice: 0 }
const AT_ONCE = 50

function frame(header, payload = '') {
  const head = JSON.stringify({ ...header, payload_size: Buffer.byteLength(payload) })
  return Buffer.from(`TWILSOCK V3.0 ${Buffer.byteLength(head)}\r\n${head}\r\n${payload}`)
}

function parse(data) {
  const start = data.indexOf('\r\n') + 2
  const end = start + Number(data.toString('latin1', 14, start - 2))
  const header = JSON.parse(data.toString('utf8', start, end))
  return { header, payload: header.payload_size > 0 ? JSON.parse(data.toString('utf8', end + 2)) : undefined }
}

async function connect(url, token, name) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v3/wsconnect`, { perMessageDeflate: false })
  const waiting = new Map()
  let established
  const isEstablished = new Promise((resolve) => {
    established = resolve
  })
  let next = 0
  socket.on('message', (data) => {
    const { header, payload } = parse(data)
    if (header.method === 'reply') return waiting.get(header.id)?.(payload)
    socket.send(frame({ method: 'reply', id: header.id, status: { code: 200, status: 'OK' } }))
    if (payload?.event_type === 'subscription_established') established()
    if (payload?.event_type === 'stream_message_published') count(payload.event.message_data.n)
  })
  function count(number) {
    totals.received++
    if (number < next) totals.twice++
    else totals.lost += number - next
    next = Math.max(next, number + 1)
  }
  let lastId = 0
  function ask(header, payload) {
    const id = `TM${++lastId}`
    socket.send(frame({ id, ...header }, payload))
    return new Promise((resolve) => waiting.set(id, resolve))
  }
  const request = (method, path, body) => {
    const http_request = { host: 'cds.us1.twilio.com', path, method, params: {} }
    return ask({ method: 'message', http_request }, body && JSON.stringify(body))
  }
  await once(socket, 'open')
  await ask({ method: 'init', token })
  const { sid } = await request('GET', `/v3/Streams/${name}`)
  const requests = [{ object_sid: sid, object_type: 'stream', last_event_id: null }]
  await request('POST', '/v4/Subscriptions', { action: 'establish', correlation_id: 1, requests })
  await isEstablished
}

process.on('message', async (message) => {
  if (message === 'report') return process.send(totals)
  if (message === 'stop') return process.exit(0)
  const { url, tokens, names } = message
  for (let start = 0; start < tokens.length; start += AT_ONCE) {
    const group = tokens.slice(start, start + AT_ONCE)
    await Promise.all(group.map((token, index) => connect(url, token, names[(start + index) % names.length])))
  }
  process.send('subscribed')
})
