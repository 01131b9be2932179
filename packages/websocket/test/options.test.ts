import { openHub } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { invalidOptionsOf } from '../../../test/support/adapters/invalid-options.ts'
import { HUB, serve } from '../../gateway/test/support/scene.ts'
import { transportFromUrls, websocket } from '../src/index.ts'

const URL_OF_IT = 'wss://sync.example/rivulet'

function refusal(call: () => unknown): string {
  return invalidOptionsOf(call, 'hunter2').message
}

describe('the options of the client', () => {
  test.each([
    [
      'an unknown one',
      { url: URL_OF_IT, protocols: [] } as never,
      /no WebSocket option "protocols"; .* url, token/,
    ],
    ['no URL', {} as never, /cannot be read/],
    ['another scheme', { url: 'https://sync.example' }, /begins with ws:\/\/ or wss:\/\//],
    ['a URL that is no text', { url: new URL(URL_OF_IT) as never }, /a string, not an object/],
    ['credentials', { url: 'wss://ann:hunter2@sync.example' }, /no credentials/],
    ['a name of a user', { url: 'wss://hunter2@sync.example' }, /no credentials/],
    ['a password alone', { url: 'wss://:hunter2@sync.example' }, /no credentials/],
    ['a token in the URL', { url: 'wss://sync.example?access_token=hunter2' }, /no credentials/],
    ['a fragment', { url: 'wss://sync.example#x' }, /no fragment/],
    ['a token that is a text', { url: URL_OF_IT, token: 'hunter2' as never }, /a function/],
    ['a buffer that is too small', { url: URL_OF_IT, maxBufferedBytes: 1023 }, /from 1024/],
    ['a buffer that is too large', { url: URL_OF_IT, maxBufferedBytes: 2 ** 31 }, /to 2147483647/],
    ['a buffer of half a byte', { url: URL_OF_IT, maxBufferedBytes: 1024.5 }, /a whole number/],
    ['a WebSocket that is none', { url: URL_OF_IT, WebSocket: {} as never }, /a constructor of WebSockets/],
  ])('refuse %s, and repeat no secret', (_, options, why) => {
    expect(refusal(() => websocket({ WebSocket, ...options }))).toMatch(why)
  })

  test.each([URL_OF_IT, undefined, null])('refuse %s in the place of an object', (options) => {
    expect(refusal(() => websocket(options as never))).toContain(
      'an object { url, token, WebSocket, maxBufferedBytes }, not ',
    )
  })

  test.each([1024, 2 ** 31 - 1])('take a buffer of %i bytes', (maxBufferedBytes) => {
    expect(websocket({ url: URL_OF_IT, WebSocket, maxBufferedBytes }).name).toBe('websocket')
  })

  test.each([
    ...[
      'token',
      'access_token',
      'accessToken',
      'client-secret',
      'password',
      'passwd',
      'jwt',
      'apikey',
      'api_key',
    ],
    ...['auth', 'AUTH', 'x-auth', 'authorization', 'key', 'apiKey', 'accessKey', 'access-key', 'access'],
    ...['sig', 'Sig', 'signature', 'X-Amz-Signature', 'credential', 'X-Amz-Credential', 'credentials'],
  ])('refuse the parameter %s of a URL', (name) => {
    const options = { url: `${URL_OF_IT}?name=fleet&${name}=hunter2`, WebSocket }
    expect(refusal(() => websocket(options))).toMatch(/no credentials/)
  })

  test.each(['name', 'author', 'keyboard', 'monkey', 'design', 'signal', 'accessible', 'region', 'v'])(
    'take the parameter %s of a URL',
    (name) => {
      expect(websocket({ url: `${URL_OF_IT}?${name}=x`, WebSocket }).name).toBe('websocket')
    },
  )

  test('say what to pass where there is no WebSocket', () => {
    vi.stubGlobal('WebSocket', undefined)
    onTestFinished(() => void vi.unstubAllGlobals())
    expect(refusal(() => transportFromUrls([URL_OF_IT]))).toContain('{ WebSocket }')
  })

  test('hold a token that util.inspect does not find', async () => {
    const { inspect } = await import('node:util')
    const transport = websocket({ url: URL_OF_IT, WebSocket, token: () => 'hunter2' })
    expect(inspect(transport, { depth: 9, showHidden: true })).not.toContain('token')
  })
})

test('openHub finds the package by the scheme', async () => {
  vi.stubGlobal('WebSocket', WebSocket)
  onTestFinished(() => void vi.unstubAllGlobals())
  const { server } = await serve()
  const hub = await openHub(`${server.url}?name=${HUB}`)
  expect(hub.name).toBe(HUB)
  await hub.close()
})
