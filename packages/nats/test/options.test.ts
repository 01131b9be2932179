import { nkeys } from '@nats-io/transport-node'
import { describe, expect, test } from 'vitest'
import { invalidOptionsOf, SECRET, shownBy } from '../../../test/support/adapters/invalid-options.ts'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { type NatsOptions, nats, transportFromUrls } from '../src/index.ts'
import { bareClient, server, transportTo } from './scene.ts'

describe('options', () => {
  test.each<[string, NatsOptions]>([
    ['no server', { servers: [] }],
    ['a server with credentials', { servers: `nats://user:${SECRET}@127.0.0.1:4333` }],
    ['a server with a line break', { servers: '127.0.0.1:4333\r\nPUB evil 2\r\nhi\r\n' }],
    ['a server of another scheme', { servers: 'ws://127.0.0.1:4333' }],
    ['a prefix with a wildcard', { prefix: 'a.*' }],
    ['a prefix with the other wildcard', { prefix: '>' }],
    ['a prefix with a space', { prefix: 'a b' }],
    ['a prefix with a line break', { prefix: 'a\r\nPUB evil 2\r\nhi\r\n' }],
    ['a prefix that ends in a line break', { prefix: 'a\n' }],
    ['a prefix with an empty word', { prefix: 'a..b' }],
    ['a prefix that ends in a dot', { prefix: 'a.' }],
    ['a prefix of the system', { prefix: '$SYS' }],
    ['an empty prefix', { prefix: '' }],
    ['a prefix of 257 characters', { prefix: 'p'.repeat(257) }],
    ['a password without a user', { password: SECRET }],
    ['two kinds of credentials', { user: 'ann', password: SECRET, token: SECRET }],
    ['an nkey that is none', { nkey: SECRET }],
    ['credentials that are none', { credentials: SECRET }],
  ])('refuse %s', (_what, options) => {
    invalidOptionsOf(() => nats(options))
  })

  test.each<[unknown, string]>([
    [{ discover: 'no' }, 'The NATS option "discover" is true or false, not "no".'],
    [{ discover: 1 }, 'is true or false, not 1.'],
    [
      { tls: 'yes' },
      'is true, false or an object { ca, cert, key, servername, handshakeFirst }, or a function that gives it, not a string.',
    ],
    [{ servers: 4222 }, 'The NATS option "servers" is a string or an array of strings, not a number.'],
    [{ name: 7 }, 'The NATS option "name" is a string, not a number.'],
    [{ user: true }, 'The NATS option "user" is a string, or a function that gives it, not true.'],
    [
      { user: 'ann', password: 12_345_678 },
      'The NATS option "password" is a string, or a function that gives it, not a number.',
    ],
    [
      { token: { text: SECRET } },
      'The NATS option "token" is a string, or a function that gives it, not an object.',
    ],
    [
      { nkey: new Uint8Array(4) },
      'The NATS option "nkey" is a string, or a function that gives it, not an object.',
    ],
    [{ name: () => 'me' }, 'The NATS option "name" is a string, not a function.'],
    [{ user: () => 'ann', token: SECRET }, 'Give one of user, token, nkey and credentials, not several.'],
    [{ password: () => SECRET }, 'A password needs a user; give both.'],
    [{ prefix: 5 }, 'The NATS option "prefix" is words of A-Z a-z 0-9 _ - separated by dots'],
    [{ prefix: 'a b' }, 'at most 256 characters, not "a b".'],
    [{ prefix: `${'x'.repeat(80)} y` }, `at most 256 characters, not "${'x'.repeat(80)}".`],
    [{ user: 'ann', token: SECRET }, 'Give one of user, token, nkey and credentials, not several.'],
    [{ password: SECRET, token: SECRET }, 'Give one of user, token, nkey and credentials, not several.'],
    [{ password: SECRET }, 'A password needs a user; give both.'],
    [{ nkey: SECRET }, 'The NATS option "nkey" is a seed (SU…); this one cannot be read, pass it unchanged.'],
    [
      { credentials: SECRET },
      'The NATS option "credentials" is the content of a file; this one cannot be read',
    ],
    [{ tls: { cafile: 'x' } }, 'There is no NATS TLS option "cafile"; there are ca, cert, key'],
    [{ tls: { rejectUnauthorized: false } }, 'There is no NATS TLS option "rejectUnauthorized"'],
    [
      { tls: { ca: new Uint8Array(4) } },
      'The NATS TLS option "ca" is a string with PEM text, not an object.',
    ],
    [{ tls: { key: 5 } }, 'The NATS TLS option "key" is a string with PEM text, not a number.'],
    [{ tls: { servername: false } }, 'The NATS TLS option "servername" is a string, not false.'],
    [{ tls: { handshakeFirst: 'no' } }, 'The NATS TLS option "handshakeFirst" is true or false, not "no".'],
    [
      { tls: false, servers: ['h', 'tls://h'] },
      'The scheme of a NATS server asks for TLS, so the option "tls" cannot be false.',
    ],
    [null, 'prefix, discover }, not null.'],
  ])('of a wrong kind %j are refused, saying what to write', (options, said) => {
    const error = invalidOptionsOf(() => nats(options as NatsOptions), /hunter2|12345678/)
    expect(error.message).toContain(said)
  })

  test.each([
    'localhost',
    'nats.example:4333',
    'h:65535',
    'nats://h',
    'tls://h:1/',
    '[::1]:4222',
    'nats://[::1]',
  ])('take the server %s', (servers) => {
    expect(nats({ servers }).name).toBe('nats')
  })

  test('are not changed, and later changes of them have no effect', async () => {
    const broker = await server()
    const servers = [addressOf(broker)]
    const options = Object.freeze({ servers })
    const transport = nats(options)
    servers[0] = '127.0.0.1:1'
    await transport.open(shortHost(), within())
    await transport.close(within())
  })

  test.each<[string, NatsOptions]>([
    ['name', { name: '\r\nPUB evil 2\r\nhi\r\n' }],
    ['user', { user: '\r\nPUB evil 2\r\nhi\r\n', password: 'x' }],
    ['password', { user: 'ann', password: '\r\nPUB evil 2\r\nhi\r\n' }],
    ['token', { token: '"}\r\nPUB evil 2\r\nhi\r\n' }],
  ])('give no command to the server when a line break is in the %s', async (_option, options) => {
    const broker = await server()
    const client = await bareClient(broker)
    const heard: string[] = []
    client.subscribe('evil', {
      callback: (_error, message) => {
        heard.push(message.subject)
      },
    })
    await client.flush()
    const transport = transportTo(broker, options)
    await transport.open(shortHost(), within())
    transport.send(POSITIONS, 'x\r\nPUB evil 2\r\nhi\r\n')
    await transport.close(within())
    await client.flush()
    expect(heard).toEqual([])
  })

  test('do not show in the transport nor in its errors', async () => {
    const broker = await server({ users: { ann: 'right' } })
    const seed = new TextDecoder().decode(nkeys.createUser().getSeed())
    for (const options of [{ user: 'ann', password: SECRET }, { token: SECRET }, { nkey: seed }]) {
      const transport = transportTo(broker, options)
      const error = await rejection(transport.open(shortHost(), within()))
      expect(shownBy(transport) + shownBy(error)).not.toContain(SECRET)
      expect(shownBy(transport) + shownBy(error)).not.toContain(seed)
    }
    const up = transportTo(broker, { user: 'ann', password: 'right' })
    await up.open(shortHost(), within())
    expect(shownBy(up)).not.toContain('right')
  })
})

describe('URLs', () => {
  test('give servers, credentials and prefix', async () => {
    const broker = await server({ users: { 'a:n@n': 'p/w%?#' } })
    const credentials = `${encodeURIComponent('a:n@n')}:${encodeURIComponent('p/w%?#')}`
    const transport = transportFromUrls([`nats://${credentials}@${addressOf(broker)}?prefix=acme`])
    const client = await bareClient(broker, { user: 'a:n@n', pass: 'p/w%?#' })
    const subjects: string[] = []
    client.subscribe('>', {
      callback: (_error, message) => {
        subjects.push(message.subject)
      },
    })
    await client.flush()
    await transport.open(shortHost(), within())
    transport.send(POSITIONS, 'x')
    await transport.close(within())
    await client.flush()
    expect(subjects).toContain('acme.rivulet.fleet.positions')
  })

  test('give a token by a lone user, and several servers', async () => {
    const broker = await server({ config: 'authorization { token: "to/ken" }' })
    const gone = await server()
    await gone.close()
    const urls = [`nats://to%2Fken@${addressOf(broker)}`, `nats://to%2Fken@${addressOf(gone)}/`]
    const transport = transportFromUrls(urls)
    await transport.open(shortHost(), within())
    await transport.close(within())
    const once = transportFromUrls([`nats://${addressOf(gone)}`, urls[0] as string])
    await once.open(shortHost(), within())
    await once.close(within())
  })

  test('insist on TLS when they begin with tls', async () => {
    const broker = await server()
    const transport = transportFromUrls([`tls://${addressOf(broker)}`])
    expect(await rejection(transport.open(shortHost(), within()))).toMatchObject({
      code: 'TRANSPORT_FAILED',
    })
  })

  test.each([
    ['an unknown parameter', `nats://u:${SECRET}@h?prefx=a`, '"prefx"'],
    ['another scheme', 'http://h', 'begins with http:; use one of nats: tls:'],
    ['a path', `nats://u:${SECRET}@h/path`, 'path'],
    ['a fragment', `nats://u:${SECRET}@h#f`, 'fragment'],
    ['two servers in one', `nats://u:${SECRET}@h:1,i:2`, 'one for each server'],
    ['nothing', '', 'cannot be read'],
    ['a bare percent sign', `nats://u:${SECRET}%@h`, '%25'],
    ['a bare question mark in a password', `nats://u:12?${SECRET}=1@h`, 'percent-encode'],
    ['a bare slash in a password', `nats://u:12/${SECRET}@h`, 'percent-encode'],
    ['a bare number sign in a password', `nats://u:12#${SECRET}@h`, 'percent-encode'],
    ['a prefix with a line break', `nats://u:${SECRET}@h?prefix=a%0D%0APUB%20evil`, 'prefix'],
    ['a server with a line break', `nats://u:${SECRET}@h%0D%0A`, 'without credentials'],
  ])('refuse %s', (_what, url, said) => {
    expect(invalidOptionsOf(() => transportFromUrls([url])).message).toContain(said)
  })

  test('refuse credentials that differ', () => {
    const urls = [`nats://u:${SECRET}@h`, `nats://u:other${SECRET}@i`]
    const error = invalidOptionsOf(() => transportFromUrls(urls))
    expect(error.message).toContain('more than one password')
    expect(error.message).not.toContain(SECRET)
  })
})
