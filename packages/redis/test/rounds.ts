// Runs as its own process. Arguments: a server, a silent peer, the path of the server's Unix socket.
import { runRounds } from '../../../test/support/adapters/rounds.ts'
import { redis } from '../src/index.ts'

const [server = '', silent = '', path = ''] = process.argv.slice(2)
const ann = { username: 'ann', password: 'right' }

await runRounds({
  connecting: [() => redis({ servers: server, ...ann }), () => redis({ path, ...ann })],
  refused: () => redis({ servers: server }),
  givenUp: [silent, server].flatMap((servers) => [
    () => redis({ servers, tls: false }),
    () => redis({ servers, tls: true }),
  ]),
  unanswered: [() => redis({ servers: silent }), () => redis({ servers: silent, tls: true })],
})
