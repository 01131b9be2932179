import { createInterface } from 'node:readline'
import { startScripted } from '../../../test/support/adapters/dials.ts'

const INFO = { server_id: 'x', version: '2.10.0', proto: 1, max_payload: 1000 }

/** Starts a server with `info` besides the usual INFO, which answers each PING after `beforePong`. */
export function scriptedServer(info: object = {}) {
  return startScripted({ beforePong: '' }, (socket, script) => {
    socket.write(infoLine(info))
    const lines = createInterface({ input: socket })
    lines.on('line', (line) => {
      if (line !== 'PING') return
      if (script.refusal === '') socket.write(`${script.beforePong}PONG\r\n`)
      else socket.end(`-ERR '${script.refusal}'\r\n`)
    })
    lines.on('error', () => {}) // that a client reset the connection
  })
}

/** The INFO line of a server, sent at first and at each change. */
export function infoLine(info: object): string {
  return `INFO ${JSON.stringify({ ...INFO, ...info })}\r\n`
}
