import { expect, test } from 'vitest'
import { invalidOptionsOf } from '../../../test/support/adapters/invalid-options.ts'
import { mqtt, transportFromUrls } from '../src/index.ts'

const PLAIN = 'mqtt://127.0.0.1'
const SECURE = 'mqtts://127.0.0.1'

/** Invalid options, each with its description and advice in the message. */
const WRONG: [name: string, options: unknown, ...said: string[]][] = [
  ['nothing', undefined, 'an object { url', 'not undefined'],
  ['a list', [], 'an object { url', 'not an array'],
  ['no URL', {}, '"url" is missing', 'at least one server'],
  ['a number as URL', { url: 1883 }, '"url" is a URL such as mqtt://host:1883', 'not a number'],
  ['a number in the list of URLs', { url: [PLAIN, 1883] }, '"url" is a URL', 'not an array'],
  ['an empty list of URLs', { url: [] }, '"url" is an empty list', 'at least one'],
  ['a protocol as text', { url: PLAIN, protocol: '5' }, '"protocol" is 4 or 5', 'not "5"'],
  ['a number as user', { url: PLAIN, username: 7 }, '"username" is a string', 'not a number'],
  [
    'a number as password',
    { url: PLAIN, username: 'a', password: 4711 },
    '"password" is a string, or a function that gives it',
    'not a number',
  ],
  ['a number as client id', { url: PLAIN, clientId: 7 }, '"clientId" is a non-empty string', 'not 7'],
  ['a wildcard in the client id', { url: PLAIN, clientId: 'a#' }, 'clientId', '"a#"'],
  ['a number as prefix', { url: PLAIN, prefix: 7 }, '"prefix" is topic levels', 'not 7'],
  ['an empty level in the prefix', { url: PLAIN, prefix: 'a//b' }, '"prefix" is topic levels', '"a//b"'],
  [
    'an infinite packet',
    { url: PLAIN, maxPacketBytes: Infinity },
    '"maxPacketBytes" is a whole number',
    'Infinity',
  ],
  ['a tiny packet', { url: PLAIN, maxPacketBytes: 255 }, 'from 256', '255'],
  [
    'a wildcard at the beginning of the prefix',
    { url: PLAIN, prefix: '#a' },
    '"prefix" is topic levels',
    '"#a"',
  ],
  [
    'no authority',
    { url: SECURE, tls: { ca: '' } },
    'The MQTT TLS option "ca" is a string with PEM text',
    'not an empty string',
  ],
  ['a query beside MQTT', { url: `${PLAIN}?clientId=x` }, 'has no path and no query here'],
  ['a scheme that ends like one', { url: 'xmqtt://127.0.0.1' }, 'begins with xmqtt:; use one of mqtt:'],
  ['null as TLS', { url: SECURE, tls: null }, '"tls" is an object { ca, cert', 'not null'],
  ['true as TLS', { url: SECURE, tls: true }, '"tls" is an object', 'not true'],
  ['text as TLS', { url: SECURE, tls: 'hush' }, '"tls" is an object', 'not a string'],
  [
    'bytes as authority',
    { url: SECURE, tls: { ca: Buffer.from('hush') } },
    'The MQTT TLS option "ca" is a string with PEM text, or a function that gives it',
    'object',
  ],
  [
    'a function as servername',
    { url: SECURE, tls: { servername: () => 'hush' } },
    '"servername" is a string',
    'not a function',
  ],
  ['a function as client id', { url: PLAIN, clientId: () => 'hush' }, '"clientId" is a non-empty string'],
  [
    'a number as servername',
    { url: SECURE, tls: { servername: 1 } },
    '"servername" is a string',
    'not a number',
  ],
  ['a misspelt option', { url: PLAIN, clientID: 'x' }, 'no MQTT option "clientID"', 'clientId'],
  ['a misspelt TLS option', { url: SECURE, tls: { Ca: 'x' } }, 'no MQTT TLS option "Ca"', 'ca, cert'],
  ['a plea to verify nothing', { url: SECURE, tls: { rejectUnauthorized: false } }, '"rejectUnauthorized"'],
  ['an option named like a method', { url: PLAIN, constructor: 1 }, 'no MQTT option "constructor"'],
]

test.each(WRONG)('refuses %s with advice', (_, options, ...said) => {
  const error = invalidOptionsOf(() => mqtt(options as Parameters<typeof mqtt>[0]), /hush|4711/)
  for (const part of said) expect(error.message).toContain(part)
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
    const { message } = invalidOptionsOf(() => transportFromUrls([`${PLAIN}?${name}=x`]))
    const repeated = name === 'clientID' ? ' "clientID"' : ''
    expect(message).toBe(
      `The MQTT URL has an unknown parameter${repeated}; it takes prefix, clientId, protocol, maxPacketBytes (and name).`,
    )
  },
)

test('reads numbers from a URL, and refuses other values', () => {
  expect(transportFromUrls([`${PLAIN}?maxPacketBytes=1000&protocol=4`]).capabilities.echoes).toBe(true)
  const error = invalidOptionsOf(() => transportFromUrls([`${PLAIN}?maxPacketBytes=1kB`]))
  expect(error.message).toContain('maxPacketBytes')
})
