import {
  isTlsOn,
  oneForAll,
  parameterName,
  parseServers,
  parseServerUrl,
  type ServerKind,
  type UrlKind,
} from 'rivulet/adapter'
import { describe, expect, test } from 'vitest'
import { invalidOptionsOf, SECRET } from '../support/adapters/invalid-options.ts'

const SERVERS: ServerKind = { product: 'Carrier', port: 4711, schemes: { carrier: false, carriers: true } }
const URLS: UrlKind = {
  product: 'Carrier',
  example: 'carrier://user:password@host:port',
  protocols: ['carrier:', 'carriers:'],
}

describe('a list of servers', () => {
  test.each([
    ['h', 'h:4711', 'h', 4711, false],
    ['h.example:1', 'h.example:1', 'h.example', 1, false],
    ['h:65535', 'h:65535', 'h', 65_535, false],
    ['h:0042', 'h:42', 'h', 42, false],
    ['carrier://h/', 'h:4711', 'h', 4711, false],
    ['carriers://h:5', 'h:5', 'h', 5, true],
    ['[::1]', '[::1]:4711', '::1', 4711, false],
    ['carriers://[::1]:5', '[::1]:5', '::1', 5, true],
  ])('takes %s', (text, label, host, port, isSecure) => {
    expect(parseServers(text, SERVERS)).toEqual([{ label, host, port, isSecure }])
  })

  test.each([
    '',
    'h:0',
    'h:65536',
    'h:',
    'h/path',
    'h\r\nQUIT',
    `u:${SECRET}@h`,
    `carrier://u:${SECRET}@h`,
    `http://${SECRET}`,
    `toString://${SECRET}`,
    '::1',
  ])('refuses %j, and does not repeat it', (text) => {
    const { message } = invalidOptionsOf(() => parseServers(['h', text], SERVERS))
    expect(message).toBe(
      'A Carrier server is "host:port", without credentials; those go into options of their own.',
    )
  })

  test('is not empty', () => {
    const { message } = invalidOptionsOf(() => parseServers([], SERVERS))
    expect(message).toBe('There is no Carrier server to connect to; name at least one.')
  })

  test.each<[boolean | object | undefined, string, boolean]>([
    [undefined, 'h', false],
    [undefined, 'carriers://h', true],
    [true, 'h', true],
    [{}, 'h', true],
    [false, 'h', false],
  ])('with the option tls %j and the server %s decides on TLS', (tls, server, isOn) => {
    expect(isTlsOn(tls, parseServers(['h', server], SERVERS), 'Carrier')).toBe(isOn)
  })

  test('does not turn TLS off where a scheme asks for it', () => {
    const servers = parseServers(['h', 'carriers://h'], SERVERS)
    const { message } = invalidOptionsOf(() => isTlsOn(false, servers, 'Carrier'))
    expect(message).toBe('The scheme of a Carrier server asks for TLS, so the option "tls" cannot be false.')
  })
})

describe('the URL of a server', () => {
  test.each([
    ['carrier://h', undefined, undefined],
    ['carrier://h:5/?prefix=a', undefined, undefined],
    ['carriers://ada@h', 'ada', undefined],
    ['carriers://:hush@h', undefined, 'hush'],
    ['carrier://a%3An:p%2Fw%25@h', 'a:n', 'p/w%'],
  ])('%s has its credentials decoded', (text, user, password) => {
    expect(parseServerUrl(text, URLS)).toMatchObject({ user, password })
  })

  test.each([
    ['', 'The Carrier URL cannot be read; write carrier://user:password@host:port'],
    [`carrier://u:${SECRET}@h:x`, 'cannot be read'],
    [`http://u:${SECRET}@h`, 'The Carrier URL begins with http:; use one of carrier: carriers:'],
    [`carrier://u:1/${SECRET}@h`, 'percent-encode credentials: / is %2F'],
    [`carrier://u:1?${SECRET}@h`, 'percent-encode credentials'],
    [`carrier://u:1#${SECRET}@h`, 'percent-encode credentials'],
    [`carrier://u:${SECRET}@h/path`, 'has a path'],
    [`carrier://u:${SECRET}%@h`, 'are not percent-encoded UTF-8; a bare % is written %25.'],
    [`carrier://u:${SECRET}%E9@h`, 'are not percent-encoded UTF-8'],
  ])('%s is refused without a secret', (text, said) => {
    expect(invalidOptionsOf(() => parseServerUrl(text, URLS)).message).toContain(said)
  })

  test('may have a path of the given form', () => {
    const { url } = parseServerUrl('carrier://h/13', { ...URLS, path: /^\/\d+$/ })
    expect(url.pathname).toBe('/13')
  })
})

describe('options of several URLs', () => {
  test('stand in one of them, or are the same in all', () => {
    const given: [string, unknown][] = [
      ['user', 'ada'],
      ['user', undefined],
      ['user', 'ada'],
      ['prefix', 'a'],
    ]
    expect(oneForAll('Carrier', given)).toEqual({ user: 'ada', prefix: 'a' })
  })

  test('are refused without the values when they differ', () => {
    const given: [string, unknown][] = [
      ['password', SECRET],
      ['password', `other ${SECRET}`],
    ]
    const { message } = invalidOptionsOf(() => oneForAll('Carrier', given))
    expect(message).toBe('The Carrier URLs give more than one password; they are servers of one cluster.')
  })

  test('have names that are repeated only when they are letters', () => {
    expect(['prefx', '1a', 'a1', ''].map(parameterName)).toEqual([' "prefx"', '', '', ''])
  })
})
