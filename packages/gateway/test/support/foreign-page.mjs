// A page written by hand from the protocol's description: sends one frame, waits for the barrier behind it, and ends.
import { WebSocket } from 'ws'

const [url] = process.argv.slice(2)
let input = ''
for await (const chunk of process.stdin) input += chunk
const { hub, topic, frame } = JSON.parse(input)

const socket = new WebSocket(url)
socket.on('open', () =>
  socket.send(`\u0001${JSON.stringify({ version: 1, hub, secret: '0123456789abcdef'.repeat(2) })}`, {
    binary: true,
  }),
)
socket.on('message', (message) => {
  if (message[0] === 17) {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(topic.length)
    socket.send(Buffer.concat([Buffer.from([4]), length, Buffer.from(topic), Buffer.from(frame)]))
    socket.send(Buffer.from([5, 0, 0, 0, 9]))
  }
  if (message[0] === 5 && message.readUInt32BE(1) === 9) socket.close()
})
socket.on('close', (code) => process.exit(code === 1005 ? 0 : 1))
socket.on('error', () => process.exit(1))
