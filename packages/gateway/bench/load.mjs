import { connect } from 'node:net'

// Sends one request over and over on so many connections, one at a time on each, and counts the answers of the
// expected status. Prints requests a second. Runs in a process of its own: node load.mjs PORT CONNECTIONS MS STATUS
const [port, connections, durationMs, status] = process.argv.slice(2).map(Number)
const request = await new Promise((resolve) => {
  let text = ''
  process.stdin.on('data', (chunk) => {
    text += chunk
  })
  process.stdin.on('end', () => resolve(Buffer.from(text)))
})
const expected = `HTTP/1.1 ${status} `
let answered = 0
let wrong = 0
let isOver = false

function open() {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end === -1) return
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
      if (text.length < end + 4 + length) return
      if (text.startsWith(expected)) answered++
      else wrong++
      text = ''
      if (isOver) socket.destroy()
      else socket.write(request)
    })
    socket.on('error', reject)
    socket.on('close', resolve)
    socket.write(request)
  })
}

// Never sleeps while it measures. Over the loopback it is the server that pays for waking a sleeping client, and it
// pays oftener the slower it is: ten microseconds of work in a handler would be measured as sixteen.
function stayAwake() {
  if (!isOver) setImmediate(stayAwake)
}

stayAwake()
const sockets = Array.from({ length: connections }, open)
const warmUpMs = durationMs / 4
await new Promise((resolve) => setTimeout(resolve, warmUpMs))
const before = answered
const startMs = performance.now()
await new Promise((resolve) => setTimeout(resolve, durationMs))
const perSecond = ((answered - before) * 1000) / (performance.now() - startMs)
isOver = true
await Promise.all(sockets)
console.log(JSON.stringify({ perSecond: Math.round(perSecond), wrong }))
