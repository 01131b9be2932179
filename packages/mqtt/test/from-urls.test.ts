import { execFile } from 'node:child_process'
import { inspect, promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { type Broker, startMosquitto } from '../../../test/support/brokers.ts'
import { mqtt, transportFromUrls } from '../src/index.ts'
import { patientHost, topicOf, until } from './open.ts'

const SECRET = 'hush/#?%: é'
const ENCODED = encodeURIComponent(SECRET)

describe('URLs', () => {
  let broker: Broker
  let transport: ReturnType<typeof transportFromUrls>

  beforeAll(async () => {
    broker = await startMosquitto({ users: { 'ann@home': SECRET }, websocket: true })
  })

  afterEach(() => transport.close(AbortSignal.timeout(1000)))

  afterAll(() => broker.close())

  test.each([
    ['mqtt', (port: number) => `mqtt://ann%40home:${ENCODED}@127.0.0.1:${port}`],
    ['mqtt+ws', (_: number, port: number) => `mqtt+ws://ann%40home:${ENCODED}@127.0.0.1:${port}/mqtt`],
  ])('open %s: with percent-decoded credentials', async (_, urlOf) => {
    transport = transportFromUrls([urlOf(broker.port, broker.portOf('websocket'))])
    await transport.open(patientHost(), endless)
    await transport.flush(endless)
  })

  test('pass parameters on', async () => {
    const query = '?protocol=4&clientId=mine&prefix=a%2Fb'
    transport = transportFromUrls([`${broker.url.replace('//', `//ann%40home:${ENCODED}@`)}${query}`])
    await transport.open(patientHost(), endless)
    await transport.join(topicOf('x'), endless)
    expect(transport.capabilities.echoes).toBe(true)
    await until(() => broker.log().includes('mine 0 a/b/rivulet/test/x'))
  })
})

test.each([
  ['mqtt://127.0.0.1?retain=1', 'unknown parameter "retain"'],
  ['mqtt://127.0.0.1?protocol=3', '"protocol" is 4 or 5'],
  ['mqtt://127.0.0.1?prefix=a%2F%23', 'prefix'],
  ['mqtt://127.0.0.1?prefix=%24share', 'prefix'],
  ['mqtt://127.0.0.1?prefix=', 'prefix'],
  ['mqtt://127.0.0.1?clientId=', 'clientId'],
  ['mqtt://127.0.0.1/path', 'path'],
  ['mqtt://127.0.0.1#part', '%23'],
  ['mqtt:///', 'host'],
  ['mqtt://127.0.0.1:0', 'port 0'],
  ['mqtt+ws://127.0.0.1:0/mqtt', 'port 0'],
  ['amqp://127.0.0.1', 'begins with amqp:; use one of mqtt: mqtts:'],
  [`mqtt://ann:${SECRET}@127.0.0.1`, 'percent-encode'],
  ['mqtt://ann:%E9hush@127.0.0.1', 'percent-encoded'],
  ['mqtt://ann:12?hush@127.0.0.1', 'parameter'],
  ['mqtt://ann:12#hush@127.0.0.1', '%23'],
  // Found by fuzzing: the text between the two resembles a parameter.
  ['mqtt://ann:12?hush#34@127.0.0.1', '%23'],
  ['mqtt://ann:12?hush=3@127.0.0.1', '%3F'],
  // The text before the slash would be dialled, and the rest be sent there as a path.
  ['mqtt+ws://ann:12/hush@127.0.0.1:1/mqtt', '%2F'],
  ['mqtt+ws://ann:12/hush@127.0.0.1:1/mqtt?prefix=a', '%2F'],
])('rejects %s with the reason and without a secret', (url, reason) => {
  const error = thrown(() => transportFromUrls([url]))
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(reason) })
  expect(inspect(error, { depth: Infinity, showHidden: true })).not.toMatch(/hush/)
})

test('takes a parameter of one of several URLs for all, and refuses two values', () => {
  transportFromUrls(['mqtt://127.0.0.1?prefix=a', 'mqtt://[::1]:1884'])
  expect(thrown(() => transportFromUrls(['mqtt://a?prefix=a', 'mqtt://b?prefix=b']))).toMatchObject({
    code: 'INVALID_OPTIONS',
  })
})

test.each([
  [{ url: [] }, 'url'],
  [{ url: 'mqtt://a', clientID: 'x' }, 'There is no MQTT option "clientID"'],
  ['mqtt://a', 'openHub'],
  [{ url: 'mqtt://a', protocol: 3 }, 'protocol'],
  [{ url: 'mqtt://a', password: SECRET }, 'username'],
  [{ url: 'mqtt://a', tls: {} }, 'mqtts'],
  [{ url: ['mqtts://a', 'ws://a'], tls: {} }, 'wss'],
  [{ url: 'mqtt://a', clientId: '' }, 'clientId'],
  [{ url: 'ws://ann:12/hush@127.0.0.1/mqtt' }, '%2F'],
  [{ url: 'ws://ann:12?hush@127.0.0.1/mqtt' }, '%3F'],
  [{ url: 'mqtt://a', prefix: 'a/' }, 'prefix'],
  [{ url: 'mqtt://a', prefix: '/a' }, 'prefix'],
  [{ url: 'mqtt://a', prefix: '\u0001' }, 'prefix'],
  [{ url: 'mqtt://a', prefix: '\ud800' }, 'prefix'],
  [{ url: 'mqtt://a', prefix: 'x'.repeat(257) }, 'prefix'],
])('refuses the options %j', (options, reason) => {
  const error = thrown(() => mqtt(options as Parameters<typeof mqtt>[0]))
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(reason) })
  expect(inspect(error)).not.toContain('hush')
})

describe('a password', () => {
  test('is in no inspection of the transport and in no error of it', async () => {
    const broker = await startMosquitto({ users: { ann: 'other' } })
    const url = broker.url.replace('//', `//ann:${ENCODED}@`)
    for (const transport of [
      mqtt({ url }),
      mqtt({ url: broker.url, username: 'ann', password: SECRET }),
      mqtt({ url: url.replace('mqtt', 'mqtts') }),
      mqtt({ url: url.replace('mqtt', 'ws') }),
    ]) {
      const host = patientHost()
      const errors = [
        await rejection(transport.open(host, endless)),
        await rejection(transport.flush(endless)),
      ]
      const text = inspect([transport, errors, host], { depth: Infinity, showHidden: true })
      expect(text + JSON.stringify([transport, errors])).not.toMatch(/hush/)
    }
    await broker.close()
  })

  test('is in no inspection of an open transport, and not in the debug log of the client', async () => {
    const broker = await startMosquitto({ users: { ann: SECRET } })
    const script = `
      import { inspect } from 'node:util'
      import { mqtt } from './packages/mqtt/src/index.ts'
      const transport = mqtt({ url: process.env.URL })
      await transport.open({ receive() {}, down() {}, error() {} }, new AbortController().signal)
      console.log(inspect(transport, { depth: Infinity, showHidden: true }), 'opened')
      await transport.close(AbortSignal.timeout(5000))`
    const url = broker.url.replace('//', `//ann:${ENCODED}@`)
    const args = ['--import', 'tsx', '--conditions=@rivulet/source', '--input-type=module', '--eval', script]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('../../..', import.meta.url),
      env: { ...process.env, URL: url, DEBUG: '*' },
    })
    expect(stdout).toContain('opened')
    expect(stderr).toContain('mqtt')
    expect(stdout + stderr).not.toMatch(/hush/)
    await broker.close()
  })
})

function thrown(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('It should have thrown.')
}
