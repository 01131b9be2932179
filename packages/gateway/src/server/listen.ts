import type { Server } from 'node:http'
import type { AddressInfo, ListenOptions } from 'node:net'

/**
 * Lets a server listen, and resolves to its port and URL. `host` may be an IPv6 address in brackets. Rejects with Node's
 * error when the port is taken.
 */
export async function listen(
  server: Server,
  { host = '', ...options }: ListenOptions,
): Promise<{ readonly port: number; readonly url: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...options, host: host.replace(/^\[|\]$/g, '') }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { family, address, port } = server.address() as AddressInfo
  return { port, url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}` }
}
