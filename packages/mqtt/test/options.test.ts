import { inspect } from 'node:util'
import { RivuletError } from 'rivulet'
import { expect, test } from 'vitest'
import { mqtt, transportFromUrls } from '../src/index.ts'

const PLAIN = 'mqtt://127.0.0.1'
const SECURE = 'mqtts://127.0.0.1'

function refusalOf(act: () => unknown): RivuletError {
  try {
    act()
  } catch (error) {
    if (RivuletError.is(error)) return error
  }
  throw new Error('It should have thrown a RivuletError.')
}

/** What is wrong, and what the message says that it was and what to write. */
const WRONG: [name: string, options: unknown, ...said: string[]][] = [
  ['nothing', undefined, 'an object { url'],
  ['a list', [], 'an object { url'],
  ['no URL', {}, 'url is a URL', 'undefined'],
  ['a number as URL', { url: 1883 }, 'url is a URL such as mqtt://host:1883', 'number'],
  ['a number in the list of URLs', { url: [PLAIN, 1883] }, 'url is a URL', 'not such a list'],
  ['an empty list of URLs', { url: [] }, 'url is an empty list', 'at least one'],
  ['a protocol as text', { url: PLAIN, protocol: '5' }, 'protocol is 4 or 5', "'5'"],
  ['a number as user', { url: PLAIN, username: 7 }, 'username is a string', 'number'],
  ['a number as password', { url: PLAIN, username: 'a', password: 4711 }, 'password is a string', 'number'],
  ['a number as client id', { url: PLAIN, clientId: 7 }, 'clientId is a non-empty string', '7'],
  ['a wildcard in the client id', { url: PLAIN, clientId: 'a#' }, 'clientId', "'a#'"],
  ['a number as prefix', { url: PLAIN, prefix: 7 }, 'prefix is topic levels', '7'],
  ['an empty level in the prefix', { url: PLAIN, prefix: 'a//b' }, 'prefix is topic levels', "'a//b'"],
  [
    'an infinite packet',
    { url: PLAIN, maxPacketBytes: Infinity },
    'maxPacketBytes is a whole number',
    'Infinity',
  ],
  ['a tiny packet', { url: PLAIN, maxPacketBytes: 255 }, 'from 256', '255'],
  [
    'a wildcard at the beginning of the prefix',
    { url: PLAIN, prefix: '#a' },
    'prefix is topic levels',
    "'#a'",
  ],
  ['no authority', { url: SECURE, tls: { ca: '' } }, 'tls.ca is PEM text', 'string'],
  ['a query beside MQTT', { url: `${PLAIN}?clientId=x` }, 'has no path and no query here'],
  ['a scheme that ends like one', { url: 'xmqtt://127.0.0.1' }, 'unknown scheme xmqtt:; use one of mqtt:'],
  ['null as TLS', { url: SECURE, tls: null }, 'tls is an object', 'null'],
  ['true as TLS', { url: SECURE, tls: true }, 'tls is an object', 'boolean'],
  ['text as TLS', { url: SECURE, tls: 'hush' }, 'tls is an object', 'string'],
  ['bytes as authority', { url: SECURE, tls: { ca: Buffer.from('hush') } }, 'tls.ca is PEM text', 'object'],
  ['a number as servername', { url: SECURE, tls: { servername: 1 } }, 'tls.servername is a string', 'number'],
  ['a misspelt option', { url: PLAIN, clientID: 'x' }, 'no option "clientID"', 'clientId'],
  ['a misspelt TLS option', { url: SECURE, tls: { Ca: 'x' } }, 'no option "tls.Ca"', 'tls.ca, tls.cert'],
  [
    'a plea to verify nothing',
    { url: SECURE, tls: { rejectUnauthorized: false } },
    '"tls.rejectUnauthorized"',
  ],
  ['an option named like a method', { url: PLAIN, constructor: 1 }, 'no option "constructor"'],
]

test.each(WRONG)('refuses %s and says what to write', (_, options, ...said) => {
  const error = refusalOf(() => mqtt(options as Parameters<typeof mqtt>[0]))
  expect(error.code).toBe('INVALID_OPTIONS')
  for (const part of said) expect(error.message).toContain(part)
  expect(inspect(error)).not.toMatch(/hush|4711/)
})

test('takes every option that is undefined for one that is left out', () => {
  const tls = { ca: undefined, cert: undefined, key: undefined, passphrase: undefined, servername: undefined }
  const names = ['protocol', 'username', 'password', 'clientId', 'prefix', 'maxPacketBytes', 'tls']
  const options = Object.fromEntries(names.map((name) => [name, undefined]))
  expect(mqtt({ url: PLAIN, ...options } as Parameters<typeof mqtt>[0]).name).toBe('mqtt')
  expect(mqtt({ url: SECURE, tls } as unknown as Parameters<typeof mqtt>[0]).name).toBe('mqtt')
})

test.each([
  { url: `${PLAIN}/` },
  { url: PLAIN, maxPacketBytes: 256 },
  { url: PLAIN, prefix: 'p'.repeat(256) },
])('takes %j', (options) => {
  expect(mqtt(options).name).toBe('mqtt')
})

test.each(['clientID', 'a1', '1a'])(
  'refuses the parameter %s of a URL, and repeats it if it is a name',
  (name) => {
    const { message } = refusalOf(() => transportFromUrls([`${PLAIN}?${name}=x`]))
    const repeated = name === 'clientID' ? ' "clientID"' : ''
    expect(message).toBe(
      `@rivulet/mqtt: unknown parameter${repeated} in the URL; it takes prefix, clientId, protocol, maxPacketBytes (and name).`,
    )
  },
)

test('reads numbers out of a URL, and refuses what is none', () => {
  expect(transportFromUrls([`${PLAIN}?maxPacketBytes=1000&protocol=4`]).capabilities.echoes).toBe(true)
  const error = refusalOf(() => transportFromUrls([`${PLAIN}?maxPacketBytes=1kB`]))
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('maxPacketBytes') })
})
