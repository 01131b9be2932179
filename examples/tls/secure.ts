// Opens a hub over TLS, trusting one authority of our own.
import { readFileSync } from 'node:fs'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { openHub, RivuletError } from 'rivulet'

const [kind, address, caFile] = process.argv.slice(2)
if (address === undefined) {
  console.error('Usage: secure.ts <nats|mqtt> <host:port> [<ca.pem>]')
  process.exit(1)
}
// Without an authority of our own those of the system are trusted. There is no way to trust everybody.
const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8')
const transport =
  kind === 'nats' ? nats({ servers: address, tls: { ca } }) : mqtt({ url: `mqtts://${address}`, tls: { ca } })

try {
  const hub = await openHub({ transport })
  console.log(`trusted: the hub is ${hub.status}`)
  await hub.close()
} catch (error) {
  if (!RivuletError.is(error)) throw error
  console.log(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
