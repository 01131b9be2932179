import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiClient, BASIC } from '../../../gateway/test/support/api-client.ts'
import { type RawAnswer, sendRaw } from '../../../gateway/test/support/raw-http.ts'
import { SERVICE, served } from '../../../gateway/test/support/served-gateway.ts'

interface RandomRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  readonly body: string
  readonly framing: 'length' | 'chunked' | 'none' | 'wrong length' | 'broken chunks'
  readonly isTruncated: boolean
}

const bytes = fc.string({ unit: 'binary-ascii', maxLength: 30 })
const segment = fc.oneof(
  fc.constantFrom(
    'v1',
    'Services',
    SERVICE,
    'default',
    'Streams',
    'Messages',
    'a',
    '..',
    '.',
    '',
    '%2e%2e',
    '%',
    '%00',
  ),
  fc.constantFrom(
    '%F0%9F',
    'x'.repeat(2000),
    '\\',
    '?PageSize=9',
    '?token=x',
    '#',
    '[',
    ' ',
    '__proto__',
    'healthz',
  ),
  fc.webSegment(),
)
const path = fc.oneof(
  fc.constantFrom(...[`/v1/Services/${SERVICE}/Streams`, `/v1/Services/${SERVICE}/Streams/a`]),
  fc.constant(`/v1/Services/${SERVICE}/Streams/a/Messages`),
  fc.array(segment, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`),
  fc.constantFrom(
    '',
    '*',
    'http://',
    'http://x/',
    'https://a:b@c/d',
    '//',
    'x',
    'http://[',
    '/%',
    `/${'y'.repeat(20_000)}`,
  ),
)
const header = fc.oneof(
  fc.constantFrom(
    `Authorization: ${BASIC.authorization}`,
    'Authorization: Bearer x',
    'Authorization:',
    'Accept: */*',
  ),
  fc.constantFrom('Accept: text/event-stream;q=0', 'Content-Type: application/json', 'Expect: 100-continue'),
  fc.constantFrom(
    'Host: [',
    'Host: a/b',
    'Host:',
    'Upgrade: websocket',
    'Connection: upgrade',
    'Content-Encoding: gzip',
  ),
  fc.constantFrom(
    'Origin: null',
    'X: \u0000',
    'X',
    ': y',
    `X: ${'z'.repeat(20_000)}`,
    'Sec-Fetch-Site: cross-site',
  ),
  fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,10}$/), bytes).map(([name, value]) => `${name}: ${value}`),
)
const body = fc.oneof(
  fc.constantFrom(
    '',
    'Data=',
    'Data=%7B%7D',
    'Data={"a":1}',
    'Data=[]',
    'Data',
    'Ttl=-1',
    'Ttl=1e3',
    'UniqueName=%',
  ),
  fc.constantFrom(
    'UniqueName=a',
    'UniqueName=%ED%A0%80',
    '=&=&',
    `Data=${'x'.repeat(70_000)}`,
    'Data={"__proto__":1}',
  ),
  bytes,
)
const request: fc.Arbitrary<RandomRequest> = fc.record({
  method: fc.oneof(
    fc.constantFrom(
      'GET',
      'POST',
      'DELETE',
      'PUT',
      'PATCH',
      'HEAD',
      'OPTIONS',
      'TRACE',
      'CONNECT',
      'QUERY',
      'M-SEARCH',
    ),
    fc.constantFrom('get', 'POSTS', '', 'PRI', '\u0000'),
  ),
  path,
  headers: fc.array(header, { maxLength: 4 }),
  body,
  framing: fc.constantFrom('length', 'chunked', 'none', 'wrong length', 'broken chunks'),
  isTruncated: fc.boolean(),
})

function textOf({ method, path, headers, body, framing, isTruncated }: RandomRequest): string {
  const length = Buffer.byteLength(body, 'latin1')
  const chunked = `${length.toString(16)}\r\n${body}\r\n`
  const framed = {
    length: [`Content-Length: ${length}`, body],
    chunked: ['Transfer-Encoding: chunked', length === 0 ? '0\r\n\r\n' : `${chunked}0\r\n\r\n`],
    none: ['X-None: 1', ''],
    'wrong length': [`Content-Length: ${length - 3}x`, body],
    'broken chunks': ['Transfer-Encoding: chunked', `zz${chunked}`],
  }[framing]
  const host = headers.some((line) => line.startsWith('Host')) ? [] : ['Host: 127.0.0.1']
  const auth = headers.some((line) => line.startsWith('Authorization'))
    ? []
    : [`Authorization: ${BASIC.authorization}`]
  const text = [`${method} ${path} HTTP/1.1`, ...host, ...auth, ...headers, framed[0], '', framed[1]].join(
    '\r\n',
  )
  return isTruncated ? text.slice(0, Math.max(1, Math.floor(text.length * 0.8))) : text
}

function check(answer: RawAnswer | undefined, sent: RandomRequest): void {
  // Who breaks off may be left without an answer.
  if (answer === undefined) return expect(sent.isTruncated).toBe(true)
  expect(answer.status).toBeLessThan(500)
  if (answer.status < 400 || sent.method === 'HEAD') return
  expect(answer.head.toLowerCase()).toContain('content-type: application/json')
  const problem = JSON.parse(answer.body)
  expect(problem).toMatchObject({
    status: answer.status,
    code: expect.any(Number),
    message: expect.any(String),
  })
}

test('random requests are answered with a 4xx in JSON, never a 5xx, a hang or a crash', {
  timeout: 60_000,
}, async () => {
  const errors: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (...line: unknown[]) => errors.push(line) }
  const { url, server } = await served({ log }, { requestTimeoutMs: 1500, headersTimeoutMs: 1000 })
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  await fc.assert(
    fc.asyncProperty(request, async (sent) => {
      check(await sendRaw(server.port, Buffer.from(textOf(sent), 'latin1'), sent.isTruncated), sent)
    }),
    { numRuns: 400, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  )
  expect(errors).toEqual([])
  await api.create({ UniqueName: 'still here' })
  expect((await api.publish('still here', {})).status).toBe(201)
})
