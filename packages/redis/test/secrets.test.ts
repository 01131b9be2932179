import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { SECRET, shownBy } from '../../../test/support/adapters/invalid-options.ts'
import { addressOf, authority } from '../../../test/support/adapters/scene.ts'
import { rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually, makeLive } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, redisCommand } from '../../../test/support/redis-servers.ts'
import { type RedisOptions, redis } from '../src/index.ts'
import { opened, server, transportTo } from './scene.ts'

async function refusal(broker: Broker, options: RedisOptions) {
  return await rejection(transportTo(broker, options).open(shortHost(), within()))
}

test.each(REDIS_PROGRAMS)('hubs come back with the new password when that of %s is changed', async (kind) => {
  const broker = await server({ server: kind, config: 'requirepass old' })
  let password = 'old'
  const hubs = [0, 1].map(() => makeLive({ transport: transportTo(broker, { password: () => password }) }))
  const [one, other] = hubs
  for (const hub of hubs) hub.on('error', () => {})
  const heard: unknown[] = []
  await other?.stream('positions').subscribe(({ data }) => heard.push(data)).ready
  await one?.ready()
  await redisCommand(broker, '-a', 'old', 'CONFIG', 'SET', 'requirepass', 'new')
  expect((await refusal(broker, { password: 'old' })).message).toContain('WRONGPASS')
  for (const type of ['normal', 'pubsub'])
    await redisCommand(broker, '-a', 'new', 'CLIENT', 'KILL', 'TYPE', type)
  for (const hub of hubs) await eventually(() => hub.status).toBe('down')
  password = 'new'
  for (const hub of hubs) await hub.ready()
  one?.stream('positions').publish({ n: 1 })
  await eventually(() => heard).toEqual([{ n: 1 }])
})

test('hubs come back with new certificates after server and client change theirs', async () => {
  const [before, after] = [authority(), authority()]
  const issued = new Map(
    [before, after].map((each) => [each, { server: each.issue(), client: each.issue() }]),
  )
  const materialOf = (each: typeof before) => issued.get(each) as NonNullable<ReturnType<typeof issued.get>>
  const command = (by: typeof before, ...args: string[]) => {
    const { certFile, keyFile } = materialOf(by).client
    const files = ['--cacert', by.caFile, '--cert', certFile, '--key', keyFile]
    return redisCommand(broker, '--tls', ...files, ...args)
  }
  const config = `tls-auth-clients yes\ntls-ca-cert-file ${before.caFile}`
  const broker = await server({ tls: materialOf(before).server, config })
  let valid = before
  const tls = {
    ca: () => valid.ca,
    cert: async () => materialOf(valid).client.cert,
    key: async () => materialOf(valid).client.key,
  }
  const hubs = [0, 1].map(() => makeLive({ transport: transportTo(broker, { tls }) }))
  const [one, other] = hubs
  for (const hub of hubs) hub.on('error', () => {})
  const heard: unknown[] = []
  await other?.stream('positions').subscribe(({ data }) => heard.push(data)).ready
  await one?.ready()
  const { certFile, keyFile } = materialOf(after).server
  const files = ['tls-cert-file', certFile, 'tls-key-file', keyFile, 'tls-ca-cert-file', after.caFile]
  await command(before, 'CONFIG', 'SET', ...files)
  for (const type of ['normal', 'pubsub']) await command(after, 'CLIENT', 'KILL', 'TYPE', type)
  for (const hub of hubs) await eventually(() => hub.status).toBe('down')
  expect(await refusal(broker, { tls: { ca: before.ca } })).toMatchObject({ code: 'TRANSPORT_FAILED' })
  valid = after
  for (const hub of hubs) await hub.ready()
  one?.stream('positions').publish({ n: 1 })
  await eventually(() => heard).toEqual([{ n: 1 }])
})

test('a user and a password may be functions with promises, called at each dial', async () => {
  const broker = await server({ users: { ann: 'first', bob: 'second' } })
  const users = [
    { username: 'ann', password: 'first' },
    { username: 'bob', password: 'second' },
  ]
  let dials = 0
  const transport = transportTo(broker, {
    username: async () => users[dials]?.username ?? '',
    password: async () => users[dials++]?.password ?? '',
  })
  for (const { username, password } of users) {
    await transport.open(shortHost(), within())
    const clients = await redisCommand(broker, '--user', username, '-a', password, 'CLIENT', 'LIST')
    expect(clients).toMatch(new RegExp(`name=rivulet .*user=${username}`))
    await transport.close(within())
  }
  expect(dials).toBe(2)
})

test('a function that throws or returns an invalid value fails the dial', async () => {
  const broker = await server()
  const thrown = await refusal(broker, {
    password: () => {
      throw new Error('the vault is shut')
    },
  })
  expect(thrown.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(thrown.message).toContain('the option "password" gave no value: the vault is shut')
  const wrong = await refusal(broker, { password: (() => [SECRET]) as never })
  expect(wrong.message).toContain('"password" gave no value: it is a string that is not empty, not an array')
  expect(shownBy(wrong)).not.toContain(SECRET)
  const never = await refusal(broker, { password: () => new Promise<string>(() => {}) })
  expect(never.message).toContain('"password" gave no value: no answer within 2000 ms')
})

test('functions run outside of any request', async () => {
  const broker = await server({ config: 'requirepass right' })
  const requests = new AsyncLocalStorage<string>()
  const stores: unknown[] = []
  const password = () => {
    stores.push(requests.getStore())
    return 'right'
  }
  await requests.run('a request', () => opened(broker, { password }))
  expect(stores).toEqual([undefined])
})

test('certificates are asked at each dial, once for Redis and its Sentinels', async () => {
  const [trusted, other] = [authority(), authority()]
  const broker = await server({ tls: trusted.issue() })
  let ca = other.ca
  let asked = 0
  const tls = {
    ca: () => {
      asked += 1
      return ca
    },
  }
  const transport = transportTo(broker, { tls })
  expect((await rejection(transport.open(shortHost(), within()))).message).toContain(addressOf(broker))
  ca = trusted.ca
  await transport.open(shortHost(), within())
  expect(asked).toBe(2)
  const overSentinel = redis({ tls, sentinel: { servers: addressOf(broker), master: 'fleet' } })
  const error = await rejection(overSentinel.open(shortHost(), within()))
  expect(error.message).toContain('it is no Sentinel')
  expect(asked).toBe(3)
})

test('the credentials of a Sentinel take functions of their own', async () => {
  const master = await server({ config: 'requirepass of-redis' })
  const sentinel = await server({ sentinelOf: master, config: 'requirepass of-sentinel' })
  const transport = redis({
    password: () => 'of-redis',
    sentinel: { servers: addressOf(sentinel), master: 'fleet', password: () => 'of-sentinel' },
  })
  await transport.open(shortHost(), within())
  await transport.close(within())
  const failing = redis({
    sentinel: { servers: addressOf(sentinel), master: 'fleet', password: (() => 7) as never },
  })
  const error = await rejection(failing.open(shortHost(), within()))
  expect(error.message).toContain('"sentinel.password" gave no value')
})

test('a refused secret of a function is an outage at first, and is requested again', async () => {
  const broker = await server({ config: 'requirepass right' })
  const transport = transportTo(broker, { password: () => SECRET })
  const codes: unknown[] = []
  for (let round = 0; round < 5; round += 1) {
    const error = await rejection(transport.open(shortHost(), within()))
    expect(shownBy(error) + shownBy(transport)).not.toContain(SECRET)
    codes.push(error.code)
  }
  expect(codes).toEqual([...Array(4).fill('TRANSPORT_UNAVAILABLE'), 'TRANSPORT_FAILED'])
})
