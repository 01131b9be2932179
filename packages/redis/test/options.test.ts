import { describe, expect, onTestFinished, test } from 'vitest'
import { invalidOptionsOf, SECRET, shownBy } from '../../../test/support/adapters/invalid-options.ts'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { eventually } from '../../../test/support/live.ts'
import { type RedisOptions, redis, transportFromUrls } from '../src/index.ts'
import { bareClient, server, transportTo } from './scene.ts'

describe('options', () => {
  test.each<[string, RedisOptions]>([
    ['no server', { servers: [] }],
    ['a server with credentials', { servers: `redis://user:${SECRET}@127.0.0.1:6379` }],
    ['a server with a line break', { servers: '127.0.0.1:6379\r\nFLUSHALL\r\n' }],
    ['a server of another scheme', { servers: 'ws://127.0.0.1:6379' }],
    ['a name with a space', { name: 'a b' }],
    ['a name with a line break', { name: 'a\r\nFLUSHALL\r\n' }],
    ['an empty name', { name: '' }],
    ['a username without a password', { username: SECRET }],
    ['an empty password', { password: '' }],
    ['an empty username', { username: '', password: SECRET }],
    ['a Unix socket beside servers', { path: '/run/redis.sock', servers: '127.0.0.1' }],
    ['a Unix socket with TLS', { path: '/run/redis.sock', tls: true }],
    ['an empty path', { path: '' }],
    ['a path with a NUL', { path: '/run/a\0b' }],
  ])('refuse %s', (_what, options) => {
    invalidOptionsOf(() => redis(options))
  })

  test.each<[unknown, string]>([
    [{ sharded: 'no' }, 'The Redis option "sharded" is true or false, not "no".'],
    [{ sharded: 1 }, 'is true or false, not 1.'],
    [{ tls: 'yes' }, 'is true, false or an object { ca, cert, key, servername }, not a string.'],
    [{ servers: 6379 }, 'The Redis option "servers" is a string or an array of strings, not a number.'],
    [{ name: 7 }, 'The Redis option "name" is printable ASCII without spaces, not a number.'],
    [
      { username: true },
      'The Redis option "username" is a string that is not empty, or a function that gives it, not true.',
    ],
    [
      { password: 12_345_678 },
      'The Redis option "password" is a string that is not empty, or a function that gives it, not a number.',
    ],
    [{ password: { text: SECRET } }, 'or a function that gives it, not an object.'],
    [{ path: 5 }, 'The Redis option "path" is the path of a Unix socket, not a number.'],
    [{ tls: { cafile: 'x' } }, 'There is no Redis TLS option "cafile"; there are ca, cert, key'],
    [{ tls: { rejectUnauthorized: false } }, 'There is no Redis TLS option "rejectUnauthorized"'],
    [
      { tls: { ca: new Uint8Array(4) } },
      'The Redis TLS option "ca" is a string with PEM text, or a function that gives it, not an object.',
    ],
    [{ tls: { servername: false } }, 'The Redis TLS option "servername" is a string, not false.'],
    [
      { tls: false, servers: ['h', 'rediss://h'] },
      'The scheme of a Redis server asks for TLS, so the option "tls" cannot be false.',
    ],
    [
      { servers: '' },
      'A Redis server is "host:port", without credentials; those go into options of their own.',
    ],
    [{ username: SECRET }, 'A username needs a password.'],
    [
      { path: '/s', servers: 'h' },
      'A Unix socket stands in place of servers, and has no TLS; give "path" alone.',
    ],
    [{ path: '/s', tls: true }, 'A Unix socket stands in place of servers'],
    [null, 'sharded, sentinel }, not null.'],
  ])('of a wrong kind %j are refused, saying what to write', (options, said) => {
    const error = invalidOptionsOf(() => redis(options as RedisOptions), /hunter2|12345678/)
    expect(error.message).toContain(said)
  })

  test.each([
    'localhost',
    'redis.example:7000',
    'h:65535',
    'redis://h',
    'valkey://h',
    'valkeys://h:1/',
    '[::1]:6379',
    'redis://[::1]',
  ])('take the server %s', (servers) => {
    expect(redis({ servers }).name).toBe('redis')
  })

  test('are not changed, and later changes of them have no effect', async () => {
    const broker = await server()
    const servers = [addressOf(broker)]
    const transport = redis(Object.freeze({ servers }))
    servers[0] = '127.0.0.1:1'
    await transport.open(shortHost(), within())
    await transport.close(within())
  })

  test.each<[string, RedisOptions]>([
    ['username', { username: '\r\nPUBLISH evil hi\r\n', password: 'x' }],
    ['password', { username: 'ann', password: '\r\nPUBLISH evil hi\r\n' }],
  ])('give no command to the server when a line break is in the %s', async (_option, options) => {
    const broker = await server()
    const heard: string[] = []
    await (await bareClient(broker)).subscribe('evil', (text) => heard.push(text))
    const [without, transport] = [transportTo(broker), transportTo(broker, options)]
    await rejection(transport.open(shortHost(), within()))
    await without.open(shortHost(), within())
    without.send(POSITIONS, 'x\r\nPUBLISH evil hi\r\n')
    await without.flush(within())
    await (await bareClient(broker)).publish('evil', 'last')
    await eventually(() => heard).toEqual(['last'])
  })

  test('do not show in the transport nor in its errors', async () => {
    const broker = await server({ users: { ann: 'right' } })
    for (const options of [{ username: 'ann', password: SECRET }, { password: SECRET }]) {
      const transport = transportTo(broker, options)
      const error = await rejection(transport.open(shortHost(), within()))
      expect(shownBy(transport) + shownBy(error)).not.toContain(SECRET)
    }
  })
})

const NAMELESS = 'A Redis URL takes path, sharded, db; the parameter is not right.'

describe('URLs', () => {
  test('give credentials, percent-decoded, and parameters', async () => {
    const broker = await server({ users: { 'a:n@n': 'p/w%?#' } })
    const credentials = `${encodeURIComponent('a:n@n')}:${encodeURIComponent('p/w%?#')}`
    const url = `valkey://${credentials}@${addressOf(broker)}?sharded=true`
    const [one, other] = [transportFromUrls([url]), transportFromUrls([url.replace('valkey:', 'redis:')])]
    const host = shortHost()
    await one.open(host, within())
    await other.open(shortHost(), within())
    await one.join(POSITIONS, within())
    other.send(POSITIONS, 'x')
    await other.close(within())
    await one.flush(within())
    await one.close(within())
    expect(host.frames).toEqual([{ topic: POSITIONS, text: 'x' }])
  })

  test('give a password alone, and several servers', async () => {
    const broker = await server({ config: 'requirepass to/ken' })
    const gone = await server()
    await gone.close()
    const url = `redis://:to%2Fken@${addressOf(broker)}`
    for (const urls of [
      [url, `redis://:to%2Fken@${addressOf(gone)}/`],
      [`redis://${addressOf(gone)}`, url],
    ]) {
      const transport = transportFromUrls(urls)
      await transport.open(shortHost(), within())
      await transport.close(within())
    }
  })

  test('warn once that a database has no effect, and not of the first one', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const broker = await server()
    for (const end of ['', '/', '/0', '?db=0', '/13', '?db=13']) {
      const transport = transportFromUrls([`redis://${addressOf(broker)}${end}`])
      await transport.open(shortHost(), within())
      await transport.close(within())
    }
    expect(warnings).toMatchObject(
      Array(2).fill({
        name: 'RivuletWarning',
        message: 'The database 13 in a Redis URL has no effect on streams.',
        detail: 'Channels are the same in all databases; separate programs by ?name=.',
      }),
    )
    // The path `/` names no database, so also no other one.
    transportFromUrls(['redis://h/', 'redis://i/13'])
  })

  test.each([
    ['an unknown parameter', `redis://u:${SECRET}@h?prefx=a`, '"prefx"'],
    ['a value that is none', 'redis://h?sharded=yes', '"sharded"'],
    ['a database that is none', 'redis://h?db=x3', 'the parameter "db" is not right.'],
    ['a database with more behind it', 'redis://h?db=3x', 'the parameter "db" is not right.'],
    ['a parameter that begins with no letter', `redis://h?1${SECRET}=1`, NAMELESS],
    ['a parameter with a digit before its letters', 'redis://h?1prefx=1', NAMELESS],
    ['a parameter that ends with no letter', `redis://h?${SECRET}=1`, NAMELESS],
    ['another scheme', 'http://h', 'begins with http:; use one of redis: valkey:'],
    [
      'a scheme that ends like one',
      'xredis://h',
      'begins with xredis:; use one of redis: valkey: rediss: valkeys: redis-sentinel:',
    ],
    ['a path', `redis://u:${SECRET}@h/path`, 'path'],
    ['a fragment', `redis://u:${SECRET}@h#f`, 'fragment'],
    ['two servers in one', `redis://u:${SECRET}@h:1,i:2`, 'one for each server'],
    [
      'nothing',
      '',
      'The Redis URL cannot be read; write redis://username:password@host:port, one for each server',
    ],
    ['a bare percent sign', `redis://u:${SECRET}%@h`, '%25'],
    ['a bare question mark in a password', `redis://u:12?${SECRET}=1@h`, 'percent-encode'],
    ['a bare slash in a password', `redis://u:12/${SECRET}@h`, 'percent-encode'],
    ['a bare number sign in a password', `redis://u:12#${SECRET}@h`, 'percent-encode'],
    ['a server with a line break', `redis://u:${SECRET}@h%0D%0A`, 'without credentials'],
    ['a username without a password', `redis://${SECRET}@h`, 'needs a password'],
    [
      'a Unix socket on another host',
      `redis://u:${SECRET}@h?path=/run/redis.sock`,
      'redis://localhost?path=',
    ],
    [
      'a Unix socket with TLS',
      `rediss://u:${SECRET}@localhost?path=/run/redis.sock`,
      'redis://localhost?path=',
    ],
  ])('refuse %s', (_what, url, said) => {
    expect(invalidOptionsOf(() => transportFromUrls([url])).message).toContain(said)
  })

  test('refuse credentials and parameters that differ', () => {
    const error = invalidOptionsOf(() =>
      transportFromUrls([`redis://u:${SECRET}@h`, `redis://u:other${SECRET}@i`]),
    )
    expect(error.message).toContain('more than one password')
    expect(error.message).not.toContain(SECRET)
    const other = invalidOptionsOf(() =>
      transportFromUrls(['redis://h?sharded=true', 'redis://i?sharded=false']),
    )
    expect(other.message).toContain('more than one sharded')
    const beside = invalidOptionsOf(() => transportFromUrls(['redis://localhost?path=/s', 'redis://h']))
    expect(beside.message).toContain('redis://localhost?path=')
  })
})
