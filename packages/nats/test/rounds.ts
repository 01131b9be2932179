// Runs as its own process. Arguments: a server, a silent peer, one that never finishes TLS.
import { runRounds } from '../../../test/support/adapters/rounds.ts'
import { nats } from '../src/index.ts'

const [server = '', silent = '', halfSecure = ''] = process.argv.slice(2)

await runRounds({
  connecting: [() => nats({ servers: server, user: 'ann', password: 'right' })],
  refused: () => nats({ servers: server }),
  givenUp: [silent, halfSecure, server].flatMap((servers) => [
    () => nats({ servers }),
    () => nats({ servers, tls: { handshakeFirst: true } }),
  ]),
  unanswered: [
    () => nats({ servers: silent }),
    () => nats({ servers: halfSecure }),
    () => nats({ servers: silent, tls: { handshakeFirst: true } }),
  ],
})
