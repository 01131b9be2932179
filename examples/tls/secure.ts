// Opens a hub over TLS that trusts the authority in a file.
import { readFileSync } from 'node:fs'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { redis } from '@rivulet/redis'
import { openHub, RivuletError } from 'rivulet'

const [kind, address, caFile] = process.argv.slice(2)
if (address === undefined) {
  console.error('Usage: secure.ts <nats|mqtt|redis> <host:port> [<ca.pem>]')
  process.exit(1)
}
// Without a file the hub trusts the system's authorities. No option makes it trust every certificate.
const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8')
const tls = { ca }
const transport =
  kind === 'nats'
    ? nats({ servers: address, tls })
    : kind === 'redis'
      ? redis({ servers: address, tls })
      : mqtt({ url: `mqtts://${address}`, tls })

try {
  const hub = await openHub({ transport })
  console.log(`trusted: the hub is ${hub.status}`)
  await hub.close()
} catch (error) {
  if (!RivuletError.is(error)) throw error
  console.log(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
