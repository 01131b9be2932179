import { once } from 'node:events'
import { connect } from 'node:net'

// Listens on so many connections, spread over the streams, and checks that the numbers in the data follow
// each other. Connections that are lost come back, and each time that all are listening it tells its parent; asked
// for a report it gives one. Runs in a process of its own.
const [{ port, count, names, authorization }] = await once(process, 'message')
const COME_BACK_MS = 50
const totals = { received: 0, lost: 0, twice: 0, dropped: 0, ended: 0 }
const sockets = new Map()
let listening = 0

function listen(index) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    sockets.set(index, socket)
    let text = ''
    let last
    let isListening = false
    socket.on('data', (chunk) => {
      text += chunk
      if (!isListening && text.includes('retry:')) {
        isListening = true
        if (++listening === count) process.send('listening')
        resolve()
      }
      const end = text.lastIndexOf('\n\n')
      if (end === -1) return
      for (const [, n] of text.slice(0, end).matchAll(/"n":(\d+)/g)) {
        const number = Number(n)
        totals.received++
        if (last !== undefined && number <= last) totals.twice++
        else if (last !== undefined) totals.lost += number - last - 1
        last = number
      }
      text = text.slice(end)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (isListening) {
        totals.ended++
        listening--
      }
      // One that was cut comes back at once; one that was turned away a little later.
      if (isListening) listen(index)
      else setTimeout(() => listen(index).then(resolve), COME_BACK_MS)
    })
    const path = `/v1/Services/default/Streams/${names[index % names.length]}/Messages`
    const head = [
      `GET ${path} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Accept: text/event-stream',
      `Authorization: ${authorization}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
  })
}

for (let index = 0; index < count; index++) await listen(index)
process.on('message', (what) => {
  if (what === 'pause') for (const socket of sockets.values()) socket.pause()
  if (what === 'cut') for (const socket of sockets.values()) socket.destroy()
  if (what === 'report') process.send(totals)
  if (what === 'stop') process.exit(0)
})
