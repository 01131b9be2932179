import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { connect } from '@nats-io/transport-node'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats, startNatsCluster } from './brokers.ts'
import { Authority } from './certificates.ts'
import { findExecutable } from './find-executable.ts'
import installPrograms from './install-programs.ts'
import { REDIS_PROGRAMS, redisCommand, startRedis } from './redis-servers.ts'

const run = promisify(execFile)

async function closing(starting: Promise<Broker>): Promise<Broker> {
  const broker = await starting
  onTestFinished(() => broker.close())
  return broker
}

function publish(broker: Broker, ...args: string[]): Promise<unknown> {
  const target = ['-h', '127.0.0.1', '-p', String(broker.port), '-t', 'x', '-m', 'y']
  return run(findExecutable('mosquitto_pub'), [...target, ...args])
}

test('finds every program that the tests need', () => {
  expect(installPrograms).not.toThrow()
})

describe.each([
  ['nats-server', startNats],
  ['mosquitto', startMosquitto],
])('%s', (_name, start: () => Promise<Broker>) => {
  test('returns on the same port with another process after a kill', async () => {
    const broker = await closing(start())
    const { pid, port } = broker
    await broker.kill()
    expect(broker.alive).toBe(false)
    expect(() => broker.signal('SIGHUP')).toThrow('down')
    await broker.restart()
    expect(broker.port).toBe(port)
    expect(broker.pid).not.toBe(pid)
  })

  test('survives a stop, and ends while it is stopped', async () => {
    const broker = await closing(start())
    await broker.stop()
    broker.cont()
    await broker.stop()
    await broker.close()
    expect(broker.alive).toBe(false)
    expect(existsSync(broker.folder)).toBe(false)
  })

  test('starts many at once on ports of their own', async () => {
    const brokers = await Promise.all(Array.from({ length: 5 }, () => closing(start())))
    const ports = brokers.map((broker) => broker.port)
    expect(new Set(ports).size).toBe(5)
    expect(ports).not.toContain(1883)
    expect(ports).not.toContain(4222)
  })

  test('tells what the broker says about a configuration that it refuses', async () => {
    const refused = start.call(undefined, ...([{ config: 'no_such_setting: {}' }] as unknown as []))
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/ended at once.*no_such_setting/s),
    })
  })
})

test('ends the broker when the process that started it is killed', async () => {
  const broker = import.meta.resolve('./brokers.ts')
  const script = `const { startNats } = await import(${JSON.stringify(broker)})
    const { pid, folder } = await startNats()
    console.log(JSON.stringify({ pid, folder }))`
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
  const [output] = await once(owner.stdout, 'data')
  const { pid, folder } = JSON.parse(String(output))
  expect(isRunning(pid)).toBe(true)
  owner.kill('SIGKILL')
  await expect.poll(() => isRunning(pid) || existsSync(folder), { timeout: 20_000 }).toBe(false)
})

test('takes only the given users', async () => {
  const users = { ann: 'right "one"' }
  const mosquitto = await closing(startMosquitto({ users }))
  await publish(mosquitto, '-u', 'ann', '-P', 'right "one"')
  await expect(publish(mosquitto, '-u', 'ann', '-P', 'wrong')).rejects.toMatchObject({
    message: expect.stringContaining('not authorised'),
  })
  const nats = await closing(startNats({ users }))
  const client = await connect({ servers: `127.0.0.1:${nats.port}`, user: 'ann', pass: 'right "one"' })
  await client.close()
  await expect(connect({ servers: `127.0.0.1:${nats.port}` })).rejects.toMatchObject({
    message: expect.stringContaining('Authorization'),
  })
})

test('speaks TLS with a certificate that is valid for loopback', async () => {
  const authority = new Authority()
  onTestFinished(() => authority.close())
  const mosquitto = await closing(startMosquitto({ tls: authority.issue() }))
  await publish(mosquitto, '--cafile', authority.caFile)
  const nats = await closing(startNats({ tls: authority.issue() }))
  const client = await connect({ servers: `localhost:${nats.port}`, tls: { ca: authority.ca } })
  await client.close()
})

test('starts a Redis server and a Valkey server, with and without users', async () => {
  for (const server of REDIS_PROGRAMS) {
    const open = await closing(startRedis({ server }))
    expect(await redisCommand(open, 'PING')).toBe('PONG')
    const closed = await closing(startRedis({ server, users: { ann: 'right "one"' } }))
    await expect(redisCommand(closed, 'PING')).rejects.toMatchObject({
      message: expect.stringContaining('NOAUTH'),
    })
    const ann = ['--user', 'ann', '--pass', 'right "one"', '--no-auth-warning']
    expect(await redisCommand(closed, ...ann, 'PING')).toBe('PONG')
  }
})

test('reads its configuration again', async () => {
  const nats = await closing(startNats({ monitor: true, config: 'max_payload: 1000' }))
  nats.reload('max_payload: 2000')
  await expect.poll(async () => (await nats.monitor('varz')).max_payload, { timeout: 20_000 }).toBe(2000)
})

test('opens the further listeners', async () => {
  const nats = await closing(startNats({ mqtt: true }))
  await run(findExecutable('mosquitto_pub'), ['-p', String(nats.portOf('mqtt')), '-t', 'x', '-m', 'y'])
  const mosquitto = await closing(startMosquitto({ websocket: true }))
  expect(mosquitto.portOf('websocket')).not.toBe(mosquitto.port)
  expect(() => mosquitto.portOf('cluster')).toThrow('cluster')
})

test('makes a cluster whose members know each other', async () => {
  const brokers = await startNatsCluster(3)
  onTestFinished(async () => {
    await Promise.all(brokers.map((broker) => broker.close()))
  })
  const [first, , third] = brokers as [Broker, Broker, Broker]
  const listener = await connect({ servers: `127.0.0.1:${first.port}` })
  const sender = await connect({ servers: `127.0.0.1:${third.port}` })
  const subscription = listener.subscribe('x', { max: 1 })
  await listener.flush()
  // The interest of one member reaches another one without an acknowledgement.
  const repeat = setInterval(() => sender.publish('x'), 20)
  for await (const _ of subscription) break
  clearInterval(repeat)
  await Promise.all([listener.close(), sender.close()])
})

test('takes another port when the first was taken meanwhile', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const { port } = server.address() as { port: number }
  let attempts = 0
  const config = () => {
    attempts += 1
    return attempts < 3 ? `http: "127.0.0.1:${port}"` : ''
  }
  await closing(startNats({ config }))
  expect(attempts).toBe(3)
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
