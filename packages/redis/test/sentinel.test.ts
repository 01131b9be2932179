import type { Hub } from 'rivulet'
import { openHub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { invalidOptionsOf, SECRET, shownBy } from '../../../test/support/adapters/invalid-options.ts'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { eventually } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, type RedisProgram, redisCommand } from '../../../test/support/redis-servers.ts'
import { type RedisOptions, redis, transportFromUrls } from '../src/index.ts'
import { server } from './scene.ts'

const REDIS_PASSWORD = 'of-redis'
const SENTINEL_PASSWORD = 'of-sentinel'

/** Starts a master, a replica and three Sentinels that know each other. */
async function watched(kind: RedisProgram) {
  const login = `requirepass ${REDIS_PASSWORD}\nmasterauth ${REDIS_PASSWORD}\nrepl-diskless-sync-delay 0`
  const master = await server({ server: kind, config: login })
  const replica = await server({
    server: kind,
    config: `replicaof 127.0.0.1 ${master.port}\n${login}`,
  })
  const config = [
    `requirepass ${SENTINEL_PASSWORD}`,
    `sentinel sentinel-pass ${SENTINEL_PASSWORD}`,
    `sentinel auth-pass fleet ${REDIS_PASSWORD}`,
  ].join('\n')
  const sentinels: Broker[] = []
  for (let nth = 0; nth < 3; nth += 1)
    sentinels.push(await server({ server: kind, sentinelOf: master, config }))
  for (const sentinel of sentinels) {
    const known = () => redisCommand(sentinel, '-a', SENTINEL_PASSWORD, 'SENTINEL', 'MASTER', 'fleet')
    await eventually(known).toMatch(/\nflags\nmaster\n[\s\S]*\nnum-slaves\n1\nnum-other-sentinels\n2\n/)
  }
  return { master, replica, sentinels }
}

async function open(url: string): Promise<Hub> {
  const hub = await openHub({ transport: url, streamDefaults: { limit: false } })
  hub.on('error', () => {})
  onTestFinished(async () => expectLaws(await hub.close()))
  return hub
}

test.each(REDIS_PROGRAMS)(
  'hubs follow Sentinels to the next master when theirs is killed, %s',
  async (kind) => {
    const { master, replica, sentinels } = await watched(kind)
    const hosts = sentinels.map(addressOf).join(',')
    const url = `redis-sentinel://:${REDIS_PASSWORD}@${hosts}?master=fleet&sentinelPassword=${SENTINEL_PASSWORD}`
    const [one, other] = [await open(url), await open(url)]
    const heard: unknown[] = []
    await other.stream('positions').subscribe(({ data }) => void heard.push(data)).ready
    one.stream('positions').publish({ n: 'before' })
    await eventually(() => heard).toEqual([{ n: 'before' }])
    await master.kill()
    await sentinels[0]?.kill()
    const clients = () => redisCommand(replica, '-a', REDIS_PASSWORD, 'CLIENT', 'LIST')
    await eventually(async () => (await clients()).split('name=rivulet').length - 1).toBe(2)
    for (const hub of [one, other]) await hub.ready()
    one.stream('positions').publish({ n: 'after' })
    await eventually(() => heard.at(-1)).toEqual({ n: 'after' })
  },
)

/** Starts a master and one Sentinel, which suffices to ask. */
async function sentinel() {
  const master = await server()
  return { master, sentinel: await server({ sentinelOf: master }) }
}

async function refusal(options: RedisOptions): Promise<string> {
  const error = await rejection(redis(options).open(shortHost(), within()))
  return `${error.code} ${error.message}`
}

test('a Sentinel that is away, and one that is none, are passed over', async () => {
  const { master, sentinel: asked } = await sentinel()
  const gone = await server()
  await gone.close()
  const servers = [gone, master, asked].map(addressOf)
  const transport = redis({ sentinel: { servers, master: 'fleet' } })
  for (let round = 0; round < 10; round += 1) {
    await transport.open(shortHost(), within())
    await transport.close(within())
  }
})

test('the refusal of every Sentinel has the reason, and no password', async () => {
  const { master, sentinel: asked } = await sentinel()
  const ask = (options: object) =>
    refusal({ sentinel: { servers: addressOf(asked), master: 'fleet', ...options } })
  expect(await ask({ master: 'fleets' })).toBe(
    `TRANSPORT_FAILED No Redis server took the connection (${addressOf(asked)}: it watches no master "fleets").`,
  )
  expect(await ask({ servers: addressOf(master) })).toBe(
    `TRANSPORT_FAILED No Redis server took the connection (${addressOf(master)}: it is no Sentinel; name a server of Redis as redis://host:port).`,
  )
  await redisCommand(asked, 'ACL', 'SETUSER', 'default', 'resetpass', '>right')
  const transport = redis({ sentinel: { servers: addressOf(asked), master: 'fleet', password: SECRET } })
  const error = await rejection(transport.open(shortHost(), within()))
  expect(error).toMatchObject({ code: 'TRANSPORT_FAILED', message: expect.stringContaining('WRONGPASS') })
  expect(shownBy(transport) + shownBy(error)).not.toContain(SECRET)
})

test('while the named master is away the error names it and the Sentinel', async () => {
  const { master, sentinel: asked } = await sentinel()
  await master.kill()
  const message = await refusal({ sentinel: { servers: [addressOf(asked)], master: 'fleet' } })
  expect(message).toContain(
    `TRANSPORT_UNAVAILABLE No Redis server took the connection (${addressOf(asked)}, which names ${addressOf(master)}: connect ECONNREFUSED`,
  )
})

test.each<[string, RedisOptions, string]>([
  ['beside servers', { servers: 'h', sentinel: { servers: 'h', master: 'm' } }, 'in place of "servers"'],
  ['without a master', { sentinel: { servers: 'h' } as never }, 'redis-sentinel://host:port?master=name'],
  ['without servers', { sentinel: { master: 'm' } as never }, '{ servers, master }'],
  ['with no server', { sentinel: { servers: [], master: 'm' } }, 'name at least one'],
  [
    'with a username alone',
    { sentinel: { servers: 'h', master: 'm', username: SECRET } },
    'needs a password',
  ],
  [
    'with a name that none has',
    { sentinel: { servers: 'h', master: SECRET.concat(' ') } },
    'The Redis Sentinel option "master" is letters, digits and . _ -',
  ],
  ['as a text', { sentinel: `redis://:${SECRET}@h` as never }, '"sentinel" is an object { servers, master'],
  ['with another option', { sentinel: { name: 'm' } as never }, 'There is no Redis Sentinel option "name"'],
])('options with a Sentinel %s are refused', (_what, options, said) => {
  expect(invalidOptionsOf(() => redis(options)).message).toContain(said)
})

test.each([
  ['without a master', `redis-sentinel://:${SECRET}@h`, '?master=name'],
  ['with a path', `redis-sentinel://:${SECRET}@h/fleet`, 'has a path'],
  ['with a socket', 'redis-sentinel://localhost?path=/s&master=m', 'takes master, sentinelUsername'],
  ['without a host', 'redis-sentinel://?master=m', '"host:port"'],
  ['with an empty host', `redis-sentinel://u:${SECRET}@h,?master=m`, 'cannot be read'],
  ['with a bare slash in a password', `redis-sentinel://u:12/${SECRET}@h,i?master=m`, 'percent-encode'],
])('a URL of Sentinels %s is refused', (_what, url, said) => {
  expect(invalidOptionsOf(() => transportFromUrls([url])).message).toContain(said)
})

test('URLs of Sentinels and of servers do not go together', () => {
  const urls = ['redis-sentinel://h?master=m', 'redis://h']
  expect(invalidOptionsOf(() => transportFromUrls(urls)).message).toContain('Sentinels name the server')
})
