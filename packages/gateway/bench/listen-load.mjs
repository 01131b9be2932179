import { connect } from 'node:net'

// Listens on so many connections, spread over the streams, and checks that the numbers in the data follow
// each other. Told "stop" by its parent it reports. Runs in a process of its own: node listen-load.mjs PORT COUNT NAMES AUTH
const [port, count, streams, authorization] = process.argv.slice(2)
const names = streams.split(',')
const totals = { received: 0, lost: 0, twice: 0, dropped: 0, ended: 0 }

function listen(index) {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1')
    let text = ''
    let last
    socket.on('data', (chunk) => {
      text += chunk
      if (text.includes('retry:')) resolve(socket)
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
    socket.on('close', () => {
      totals.ended++
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

const sockets = []
for (let index = 0; index < Number(count); index++) sockets.push(await listen(index))
process.send('listening')
process.on('message', (what) => {
  if (what === 'pause') for (const socket of sockets) socket.pause()
  if (what === 'report') process.send(totals)
  if (what === 'stop') process.exit(0)
})
