import { describe, expect, test } from 'vitest'
import { KEYS } from '../../../twilio/test/support/sync-client.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { allAnswers, type RawAnswer, sendRaw } from '../support/raw-http.ts'
import { SERVICE, served } from '../support/served-gateway.ts'

const MESSAGES = `/v1/Services/${SERVICE}/Streams/a/Messages`
const AUTHORIZATION = `Authorization: ${BASIC.authorization}`
const DATA = 'Data=%7B%7D'
const POST = `POST ${MESSAGES} HTTP/1.1\r\nHost: 127.0.0.1\r\n${AUTHORIZATION}\r\n`
const LENGTH = `Content-Length: ${DATA.length}\r\n`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const CHUNKS = `b\r\n${DATA}\r\n0\r\n\r\n`
const GET = 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n'

/** Requests that two servers could read in two ways, or that no server can read. */
const UNCLEAR: Readonly<Record<string, string>> = {
  'a length and chunks': `${POST}${LENGTH}${CHUNKED}\r\n${CHUNKS}`,
  'chunks and a length': `${POST}${CHUNKED}${LENGTH}\r\n${CHUNKS}`,
  'two lengths': `${POST}${LENGTH}Content-Length: 4\r\n\r\n${DATA}`,
  'one length twice': `${POST}${LENGTH}${LENGTH}\r\n${DATA}`,
  'a list of lengths': `${POST}Content-Length: 11, 11\r\n\r\n${DATA}`,
  'a length with a sign': `${POST}Content-Length: +11\r\n\r\n${DATA}`,
  'a hexadecimal length': `${POST}Content-Length: 0xb\r\n\r\n${DATA}`,
  'a length beyond 64 bits': `${POST}Content-Length: 99999999999999999999\r\n\r\n${DATA}`,
  'a space before the colon': `${POST}Content-Length : 11\r\n\r\n${DATA}`,
  'an encoding that is none': `${POST}Transfer-Encoding: xchunked\r\n\r\n${CHUNKS}`,
  'chunks that are not the last encoding': `${POST}Transfer-Encoding: chunked, identity\r\n\r\n${CHUNKS}`,
  'chunks twice': `${POST}${CHUNKED}${CHUNKED}\r\n${CHUNKS}`,
  'a size that is no number': `${POST}${CHUNKED}\r\nzz\r\n${DATA}\r\n0\r\n\r\n`,
  'a size with a sign': `${POST}${CHUNKED}\r\n-b\r\n${DATA}\r\n0\r\n\r\n`,
  'a size beyond 64 bits': `${POST}${CHUNKED}\r\nfffffffffffffffff\r\n${DATA}\r\n0\r\n\r\n`,
  'a chunk longer than its size': `${POST}${CHUNKED}\r\n4\r\n${DATA}\r\n0\r\n\r\n`,
  'a size that ends in a bare line feed': `${POST}${CHUNKED}\r\nb\n${DATA}\r\n0\r\n\r\n`,
  'a folded header': `${POST}${LENGTH}X-Note: one\r\n two\r\n\r\n${DATA}`,
  'lines that end in a bare line feed': `${POST}${LENGTH}\r\n${DATA}`.replaceAll('\r\n', '\n'),
  'a bare carriage return': `${POST}${LENGTH}X-Note: one\rX: two\r\n\r\n${DATA}`,
  'a NUL in a header': `${POST}${LENGTH}X-Note: \0\r\n\r\n${DATA}`,
  'a header without a colon': `${POST}${LENGTH}X-Note\r\n\r\n${DATA}`,
  'a header without a name': `${POST}${LENGTH}: one\r\n\r\n${DATA}`,
  'another version': `${POST}${LENGTH}\r\n${DATA}`.replace('HTTP/1.1', 'HTTP/2.0'),
  'two hosts': `${POST}${LENGTH}Host: 127.0.0.2\r\n\r\n${DATA}`,
  'one host twice': `${POST}${LENGTH}host: 127.0.0.1\r\n\r\n${DATA}`,
  'no host': `${POST}${LENGTH}\r\n${DATA}`.replace('Host: 127.0.0.1\r\n', ''),
  'a host that is none': `${POST}${LENGTH}\r\n${DATA}`.replace('127.0.0.1', 'a/b'),
}

/** What Node would answer by itself, and the status of the answer. */
const NODES_OWN: readonly (readonly [what: string, text: string, status: number])[] = [
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['TLS', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n', 400],
  ['a method that there is not', `PURR${GET.slice(3)}\r\n`, 400],
  ['no host', GET.replace(/Host.*\r\n/, '\r\n'), 400],
  ['no host in HTTP/1.0', 'GET /openapi.json HTTP/1.0\r\n\r\n', 400],
  ['no host in HTTP/1.0, for a query of the health', 'GET /healthz?x HTTP/1.0\r\n\r\n', 400],
  ['two hosts', `${GET}Host: 127.0.0.1\r\n\r\n`, 400],
  ['a long URL', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, 431],
  ['long headers', `${GET}X: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['headers that do not end', GET, 408],
  ['a body that does not end', `${POST}${LENGTH}\r\nData`, 408],
  ['an expectation', `${GET}Expect: a miracle\r\n\r\n`, 417],
  ['a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', 405],
]

describe('a request', () => {
  test.each(Object.entries(UNCLEAR))(
    'with %s is refused, and what follows is not read',
    async (_what, text) => {
      const { url, server, hub } = await served()
      await new ApiClient(url).create({ UniqueName: 'a' })
      const answers = await allAnswers(server.port, `${text}${POST}${LENGTH}\r\n${DATA}`)
      expect(answers.map(({ status }) => status)).toEqual([400])
      for (const answer of answers) expectClosing(answer, 400)
      expect(hub.ledger().attempts).toBe(0)
    },
  )

  test.each(NODES_OWN)('that is %s is refused in the form of the API', async (_what, text, status) => {
    const { url, server } = await served({}, { headersTimeoutMs: 100, requestTimeoutMs: 200 })
    await new ApiClient(url).create({ UniqueName: 'a' })
    const [answer] = await allAnswers(server.port, text)
    expectClosing(answer, status)
  })

  test.each([
    ['TRACE', `TRACE${GET.slice(3)}\r\n`, 404],
    ['an upgrade to HTTP/2', `${GET}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n`, 200],
  ])('that asks for %s is answered as any other', async (_what, text, status) => {
    const { server } = await served()
    const answer = await sendRaw(server.port, text)
    expect(answer?.status).toBe(status)
    expectHeaders(answer)
  })

  test('with many headers is refused: Node leaves some out, a second host perhaps', async () => {
    const { server } = await served()
    for (const [count, status] of [
      [98, 200],
      [99, 431],
      [3000, 431],
    ] as const) {
      const [answer] = await allAnswers(
        server.port,
        `${GET}${'a:\r\n'.repeat(count - 1)}Connection: close\r\n\r\n`,
      )
      expect([count, answer?.status]).toEqual([count, status])
    }
  })

  test.each([
    ['h2c', 'Upgrade: h2c\r\n'],
    ['a WebSocket', 'Upgrade: websocket\r\n'],
  ])(
    'for %s with more headers than Node keeps is refused, and its body is no request',
    async (_what, upgrade) => {
      const { url, server, hub } = await served({ keys: KEYS })
      await new ApiClient(url).create({ UniqueName: 'a' })
      const body = `${POST}${LENGTH}Connection: close\r\n\r\n${DATA}`
      // Node keeps 128 of these headers, 30 of which are left out of a request that is handed back.
      const many = `${upgrade.repeat(upgrade.includes('h2c') ? 30 : 1)}${'a:\r\n'.repeat(130)}`
      const text = `${POST}Connection: Upgrade\r\n${many}Content-Length: ${body.length}\r\n\r\n${body}`
      const answers = await allAnswers(server.port, text)
      expect(answers.map(({ status }) => status)).toEqual([431])
      expectClosing(answers[0], 431)
      expect(hub.ledger().attempts).toBe(0)
    },
  )

  test('whose body comes in very many pieces is hung up on', async () => {
    const { url, server, hub } = await served()
    await new ApiClient(url).create({ UniqueName: 'a' })
    const inPieces = (body: string) => [...body].map((byte) => `1\r\n${byte}\r\n`).join('')
    const sent = (body: string) => sendRaw(server.port, `${POST}${CHUNKED}\r\n${inPieces(body)}0\r\n\r\n`)
    expect((await sent(`Data={"a":"${'x'.repeat(200)}"}`))?.status).toBe(201)
    expect(await sent(`Data={"a":"${'x'.repeat(300)}"}`)).toBeUndefined()
    expect(hub.ledger().accepted).toBe(1)
  })
})

function expectClosing(answer: RawAnswer | undefined, status: number): void {
  expect(answer?.status).toBe(status)
  expect(answer?.head.toLowerCase()).toContain('\nconnection: close')
  expect(JSON.parse(answer?.body ?? '')).toMatchObject({ status, code: expect.any(Number) })
  expectHeaders(answer)
}

function expectHeaders(answer: RawAnswer | undefined): void {
  const head = answer?.head.toLowerCase()
  expect(head).toContain('\ncontent-type: application/json')
  expect(head).toContain('\ncache-control: no-store')
  expect(head).toContain('\nx-content-type-options: nosniff')
}
