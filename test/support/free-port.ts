import { createServer } from 'node:net'

// Below the range that systems hand out for outgoing connections (Linux 32768, others 49152). Inside it a client
// that dials a dead broker may be given the broker's port, connect to itself, and keep the broker from returning.
const FIRST_PORT = 20_000
const LAST_PORT = 32_000

/** Finds a port on which nobody listens on loopback. Another process may still take it first: retry the start. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
