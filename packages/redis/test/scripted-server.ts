import { startScripted } from '../../../test/support/adapters/dials.ts'
import { POSITIONS } from '../../../test/support/adapters/waits.ts'

/**
 * Starts a server that accepts every HELLO and one subscription, and answers each PING after `beforePong`. `heard`: all
 * commands received; without `answersJoins` the test answers them.
 */
export function scriptedServer() {
  return startScripted({ beforePong: '', heard: '', answersJoins: true }, (socket, script) => {
    socket.on('data', (data) => {
      script.heard += data
      for (const [command] of data.toString().matchAll(/HELLO|PING|subscribe/g)) {
        if (script.refusal !== '') socket.end(`-${script.refusal}\r\n`)
        else if (command === 'HELLO') socket.write('%0\r\n')
        else if (command === 'PING') socket.write(`${script.beforePong}+PONG\r\n`)
        else if (script.answersJoins) socket.write(pushed('subscribe', ':1'))
      }
    })
  })
}

/** The server's answer for the channel of `POSITIONS`; `last` in its form on the wire. */
export function pushed(kind: string, last: string): string {
  return `>3\r\n$${kind.length}\r\n${kind}\r\n$${POSITIONS.length}\r\n${POSITIONS}\r\n${last}\r\n`
}
