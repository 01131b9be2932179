import { startScripted } from '../../../test/support/adapters/dials.ts'

/** Starts a server that takes every HELLO, and answers each PING after `beforePong`. */
export function scriptedServer() {
  return startScripted({ beforePong: '' }, (socket, script) => {
    socket.on('data', (data) => {
      for (const [command] of data.toString().matchAll(/HELLO|PING/g)) {
        if (script.refusal !== '') socket.end(`-${script.refusal}\r\n`)
        else socket.write(command === 'HELLO' ? '%0\r\n' : `${script.beforePong}+PONG\r\n`)
      }
    })
  })
}
