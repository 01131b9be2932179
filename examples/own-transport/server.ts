import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** Starts a server that passes the lines of each connection on to all others that gave the password. */
export function startLineServer(port: number, password?: string): Promise<Server> {
  const welcomed = new Set<Socket>()
  const server = createServer((socket) => {
    socket.on('close', () => welcomed.delete(socket))
    const reader = createInterface({ input: socket })
    reader.on('error', () => {})
    reader.on('line', (line) => {
      const message = JSON.parse(line)
      if (message === 'ping') return void socket.write('"pong"\n')
      if (welcomed.has(socket)) {
        for (const other of welcomed) if (other !== socket) other.write(`${line}\n`)
        return
      }
      if (message.password !== password) return void socket.end('"refused"\n')
      welcomed.add(socket)
      socket.write('"welcome"\n')
    })
  })
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}
