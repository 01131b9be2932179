import { describe, expect, test } from 'vitest'
import { testTaps } from '../../../test/support/adapters/taps.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually, makeLive } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, redisCommand } from '../../../test/support/redis-servers.ts'
import { bareClient, opened, scene, server, transportTo } from './scene.ts'

// The least permissions of an account that only watches.
const WATCHER =
  'user fleet on >right resetchannels &rivulet/fleet/* -@all +hello +ping +psubscribe +punsubscribe'
const fleet = { username: 'fleet', password: 'right' }
const bytes = (text: string) => Buffer.from(text, 'latin1')

describe.each(REDIS_PROGRAMS)('%s', (kind) => {
  testTaps({
    scene,
    server: { server: kind },
    publish: publishBytes,
    positions: bytes('rivulet/fleet/positions'),
    strange: [
      ...['', 'a/b', '/', '*', '?', '[a]', 'a.b', 'a%2fb', '%61', '%ZZ', 'a b', 'a\r\nb', 'x'.repeat(3000)],
      ...['\xff\xfe', '\xc3', '\xc3\xa9', '\x01', '\0', 'TZ0123456789abcdef0123456789abcdef'],
    ].map((name) => bytes(`rivulet/fleet/${name}`)),
    elsewhere: [
      ...[
        'rivulet/fleet2/a',
        'rivulet/flee/a',
        'rivulet/fleet',
        'rivulet',
        'x/rivulet/fleet/a',
        'RIVULET/fleet/a',
      ],
    ].map(bytes),
  })

  test('a watch needs no more than four commands and the pattern of its hub', async () => {
    const broker = await server({ server: kind, config: WATCHER })
    const { transport, host } = await opened(broker, fleet)
    const end = new AbortController()
    await transport.watch('fleet', end.signal)
    await publishBytes(broker, [bytes(POSITIONS)], 'x')
    await transport.flush(within())
    expect(host.watchedFrames).toEqual([{ topic: POSITIONS, text: 'x' }])
    end.abort()
    await transport.flush(within())
    expect(await redisCommand(broker, 'PUBSUB', 'NUMPAT')).toBe('0')
    expect(host).toMatchObject({ errors: [], downs: [], endedJoins: [] })
  })

  // A server compares a pattern literally with the permitted ones.
  test.each(['&rivulet/*', '&rivulet/fleet/positions', '&rivulet/fleet/*a', '&rivulet/fleet2/*'])(
    'a watch is rejected for a user that has %s only, and joins are kept',
    async (channels) => {
      const user = `user fleet on >right resetchannels ${channels} &rivulet/fleet/positions +@all`
      const broker = await server({ server: kind, config: user })
      const { transport, host } = await opened(broker, fleet)
      await transport.join(POSITIONS, within())
      expect((await rejection(transport.watch('fleet', within()))).message).toContain('NOPERM')
      await publishBytes(broker, [bytes(POSITIONS)], 'x')
      await transport.flush(within())
      expect(host).toMatchObject({
        frames: [{ text: 'x' }],
        watchedFrames: [],
        errors: [],
        downs: [],
        endedJoins: [],
      })
    },
  )
})

/** Publishes with the bare client, which accepts bytes as the name of a channel. */
async function publishBytes(broker: Broker, channels: readonly Buffer[], frame: string): Promise<void> {
  const client = await bareClient(broker)
  await Promise.all(channels.map((channel) => client.sendCommand(['PUBLISH', channel, frame])))
}

test('a denied tap is rejected, begins once granted, and again after a revocation', async () => {
  const broker = await server({ config: WATCHER.replace(' &rivulet/fleet/*', '') })
  const hub = makeLive({ transport: transportTo(broker, fleet), name: 'fleet' })
  const errors: string[] = []
  hub.on('error', ({ message }) => errors.push(message))
  const heard: unknown[] = []
  const tap = hub.tap(({ data }) => heard.push(data))
  expect(await rejection(tap.ready)).toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'fleet' })
  expect(errors).toEqual([expect.stringContaining('NOPERM')])
  const outcome = () =>
    tap.ready.then(
      () => 'heard',
      (error) => error.code,
    )
  for (const n of [1, 2]) {
    await redisCommand(broker, 'ACL', 'SETUSER', 'fleet', '&rivulet/fleet/*')
    await eventually(outcome).toBe('heard')
    await eventually(() => hub.status).toBe('up')
    await publishBytes(broker, [bytes(POSITIONS)], JSON.stringify({ data: { n } }))
    await eventually(() => heard.at(-1)).toEqual({ n })
    if (n === 2) break
    const errorsBefore = errors.length
    await redisCommand(broker, 'ACL', 'SETUSER', 'fleet', 'resetchannels')
    await eventually(() => errors.slice(errorsBefore).join('\n')).toContain('NOPERM')
  }
})

test('an aborted or ended watch leaves no pattern behind; another begins at once', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  for (let round = 0; round < 20; round += 1) {
    const [given, ended, next] = [new AbortController(), new AbortController(), new AbortController()]
    const watching = rejection(transport.watch('fleet', given.signal))
    given.abort(new Error('no longer'))
    expect((await watching).message).toBe('no longer')
    await transport.watch('fleet', ended.signal)
    ended.abort()
    await transport.watch('fleet', next.signal)
    await publishBytes(broker, [bytes(POSITIONS)], String(round))
    await transport.flush(within())
    expect(host.watchedFrames.at(-1)?.text).toBe(String(round))
    next.abort()
    await transport.flush(within())
    expect(await redisCommand(broker, 'PUBSUB', 'NUMPAT')).toBe('0')
  }
  expect(host.watchedFrames).toHaveLength(20)
  expect(host).toMatchObject({ errors: [], downs: [], endedJoins: [] })
})

test('a watch continues after the host has thrown', async () => {
  const broker = await server()
  const host = shortHost()
  const watched = host.watched.bind(host)
  host.watched = (topic, frame) => {
    watched(topic, frame)
    if (host.watchedFrames.length === 1) throw new Error('a bug of the host')
  }
  const { transport } = await opened(broker, {}, host)
  await transport.watch('fleet', within())
  await publishBytes(broker, ['rivulet/fleet/a', 'rivulet/fleet/b'].map(bytes), 'x')
  await transport.flush(within())
  expect(host.watchedFrames.map(({ topic }) => topic)).toEqual(['rivulet/fleet/a', 'rivulet/fleet/b'])
  expect(host.errors).toMatchObject([{ topic: undefined, cause: { code: 'TRANSPORT_FAILED' } }])
})

test('a watch over sharded channels is rejected with the reason', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker, { sharded: true })
  expect(transport.capabilities.watch).toBe(false)
  const error = await rejection(transport.watch('fleet', within()))
  expect(error.message).toMatch(/Sharded channels of Redis have no patterns; leave out the option "sharded"/)
  expect(await redisCommand(broker, 'PUBSUB', 'NUMPAT')).toBe('0')
  expect(host).toMatchObject({ errors: [], downs: [], endedJoins: [] })
  const hub = makeLive({ transport: transportTo(broker, { sharded: true }) })
  hub.on('error', () => {})
  expect(await rejection(hub.tap(() => {}).ready)).toMatchObject({ code: 'TRANSPORT_FAILED' })
  expect(hub.status).toBe('up')
})
