import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { attachWebSockets, createGateway } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from '../../../../test/support/certificates.ts'
import { KEYS } from '../../../twilio/test/support/sync-client.ts'
import { allAnswers } from '../support/raw-http.ts'

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n'
const HOST = 'Host: localhost\r\n'

/** Attaches a gateway to a server of an application, and gives the server's port. */
async function attached(server: Server): Promise<number> {
  const hub = createHub()
  const gateway = createGateway({ hub, keys: KEYS })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close().closeAllConnections()
    await gateway.close()
    await hub.close()
  })
  await attachWebSockets(server, gateway)
  return (server.address() as AddressInfo).port
}

/** An application that answers with what it was sent, and hangs up. */
function application(urls: string[] = []): Server {
  return createServer((request, response) => {
    urls.push(request.url as string)
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => response.setHeader('connection', 'close').end(`${request.method} ${body}`))
  })
}

describe("a request for another protocol, on a server of one's own", () => {
  test('reaches the application as if it had not asked for one', async () => {
    const port = await attached(application())
    const get = await allAnswers(port, `GET / HTTP/1.1\r\n${HOST}${H2C}\r\n`)
    expect(get).toMatchObject([{ status: 200, body: expect.stringContaining('GET ') }])
    const post = await allAnswers(port, `POST / HTTP/1.1\r\n${HOST}${H2C}Content-Length: 5\r\n\r\nhello`)
    expect(post).toMatchObject([{ status: 200, body: expect.stringContaining('POST hello') }])
  })

  test('reaches an application over TLS', async () => {
    const authority = new Authority()
    onTestFinished(() => authority.close())
    const { cert, key } = authority.issue()
    const server = createTlsServer({ cert, key }, (_request, response) => response.end('over TLS'))
    const port = await attached(server)
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.ca, servername: 'localhost' })
    onTestFinished(() => void socket.destroy())
    socket.write(`GET / HTTP/1.1\r\n${HOST}${H2C}\r\n`)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*over TLS$/)
  })

  test('is left to another listener of upgrades where there is one', async () => {
    const server = application()
    const port = await attached(server)
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Mine\r\n\r\n'))
    expect(await allAnswers(port, `GET / HTTP/1.1\r\n${HOST}${H2C}\r\n`)).toMatchObject([{ status: 101 }])
  })

  test.each([undefined, 0, 40, 2000])(
    'does not smuggle a second one into a server whose maxHeadersCount was %s',
    async (maxHeadersCount) => {
      const urls: string[] = []
      const server = application(urls)
      if (maxHeadersCount !== undefined) server.maxHeadersCount = maxHeadersCount
      const port = await attached(server)
      const socket = connect(port, '127.0.0.1')
      onTestFinished(() => void socket.destroy())
      await once(server, 'connection')
      // From here on it would be taken for a limit that the request keeps.
      server.maxHeadersCount = 1_000_000
      const body = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`
      const many = 'a:\r\n'.repeat(2100)
      let received = ''
      socket.on('data', (chunk) => {
        received += chunk
      })
      socket.write(`POST / HTTP/1.1\r\n${HOST}${H2C}${many}Content-Length: ${body.length}\r\n\r\n${body}`)
      await once(socket, 'close')
      expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 431'])
      expect(urls).toEqual([])
    },
  )

  test('is not answered in the middle of an earlier answer', async () => {
    const server = createServer((_request, response) => response.write('the first part'))
    const port = await attached(server)
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(`GET / HTTP/1.1\r\n${HOST}\r\n`)
    let received = String((await once(socket, 'data'))[0])
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.write(`GET / HTTP/1.1\r\n${HOST}${H2C}\r\n`)
    await once(socket, 'close')
    expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1)
  })
})
