import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { listening } from '../../../test/support/adapters/scene.ts'

const INFO = { server_id: 'x', version: '2.10.0', proto: 1, max_payload: 1000 }

/** A server that says what no real one can be brought to say on demand. */
export interface ScriptedServer {
  readonly address: string
  /** How many connections it has taken. */
  readonly connections: number
  /** Told in place of the first answer of a connection. */
  refusal: string
  /** Told before each answer to a PING. */
  beforePong: string
  /** Speaks to whoever is connected. */
  say(text: string): void
  /** Ends all connections without a reason. */
  hangUp(): void
}

/** Greets with `info` beside what every server says, and answers each PING, until the test ends. */
export async function scriptedServer(info: object = {}): Promise<ScriptedServer> {
  let connections = 0
  const serve = (socket: Socket) => {
    connections += 1
    socket.write(infoLine(info))
    const lines = createInterface({ input: socket })
    lines.on('line', (line) => {
      if (line !== 'PING') return
      if (script.refusal === '') socket.write(`${script.beforePong}PONG\r\n`)
      else socket.end(`-ERR '${script.refusal}'\r\n`)
    })
    lines.on('error', () => {}) // that a client reset the connection
  }
  const { address, sockets } = await listening(createServer(serve))
  const script = {
    ...{ address, refusal: '', beforePong: '' },
    get connections() {
      return connections
    },
    say: (text: string) => {
      for (const socket of sockets) socket.write(text)
    },
    hangUp: () => {
      for (const socket of sockets) socket.end()
    },
  }
  return script
}

/** The line by which a server tells of itself, at first and whenever that changes. */
export function infoLine(info: object): string {
  return `INFO ${JSON.stringify({ ...INFO, ...info })}\r\n`
}
