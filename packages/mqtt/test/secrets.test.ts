import { AsyncLocalStorage } from 'node:async_hooks'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { SECRET, shownBy } from '../../../test/support/adapters/invalid-options.ts'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { type Broker, mosquittoPasswords, startMosquitto } from '../../../test/support/brokers.ts'
import { Authority } from '../../../test/support/certificates.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { ending, eventually, makeLive } from '../../../test/support/live.ts'
import { type MqttOptions, mqtt } from '../src/index.ts'
import { closeAll, make, open, patientHost } from './open.ts'

afterEach(closeAll)

/** Changes the broker's passwords. It ends the connections with old ones. */
function setPasswords(broker: Broker, users: Readonly<Record<string, string>>): void {
  writeFileSync(join(broker.folder, 'passwords'), mosquittoPasswords(users))
  broker.signal('SIGHUP')
}

/** Makes an authority whose files the test removes. */
function authority(): Authority {
  const made = new Authority()
  onTestFinished(() => made.close())
  return made
}

/** Makes a token that the broker accepts until the next one is made. */
function issuing(broker: Broker) {
  let issued = 0
  return {
    token: () => `token ${issued}`,
    expire() {
      issued += 1
      setPasswords(broker, { fleet: `token ${issued}` })
    },
  }
}

const LINKS: [name: string, protocol: 4 | 5, urlOf: (broker: Broker) => string][] = [
  ['MQTT 5', 5, ({ url }) => url],
  ['MQTT 3.1.1', 4, ({ url }) => url],
  ['MQTT 5 over WebSocket', 5, (broker) => `ws://127.0.0.1:${broker.portOf('websocket')}`],
]

test.each(LINKS)(
  'hubs go on with the next token each time that theirs expires (%s)',
  async (_, protocol, urlOf) => {
    const broker = await ending(startMosquitto({ websocket: true, users: { fleet: 'token 0' } }))
    const { token, expire } = issuing(broker)
    let isLate = false
    const password = async () => (isLate ? 'the token before' : token())
    const options = { url: urlOf(broker), protocol, username: 'fleet', password }
    const hubs = [0, 1].map(() => makeLive({ transport: mqtt(options) }))
    for (const hub of hubs) hub.on('error', () => {})
    const heard: unknown[] = []
    const subscription = hubs[1]?.stream('positions').subscribe(({ data }) => heard.push(data))
    for (let round = 1; round <= 3; round += 1) {
      await Promise.all(hubs.map((hub) => hub.ready()))
      await subscription?.ready
      hubs[0]?.stream('positions').publish({ round })
      await eventually(() => heard.length).toBe(round)
      isLate = true
      expire()
      for (const hub of hubs) await eventually(() => hub.status).toBe('down')
      isLate = false
    }
    expect(heard).toEqual([{ round: 1 }, { round: 2 }, { round: 3 }])
  },
)

test('a hub dials with the password of now when the broker is back', async () => {
  const broker = await ending(startMosquitto({ users: { fleet: 'old' } }))
  let password = 'old'
  const hub = makeLive({ transport: mqtt({ url: broker.url, username: 'fleet', password: () => password }) })
  hub.on('error', () => {})
  await hub.ready()
  await broker.kill()
  await eventually(() => hub.status).toBe('down')
  password = 'new'
  writeFileSync(join(broker.folder, 'passwords'), mosquittoPasswords({ fleet: password }))
  await broker.start()
  await hub.ready()
})

test('a user and a password may be promised, and are asked at each dial', async () => {
  const users = { ann: 'first', bob: 'second' }
  const broker = await ending(startMosquitto({ users }))
  const logins = Object.entries(users)
  let dials = 0
  const transport = make({
    url: broker.url,
    username: async () => logins[dials]?.[0] ?? '',
    password: async () => logins[dials++]?.[1] ?? '',
  })
  for (const [username] of logins) {
    await transport.open(patientHost(), endless)
    await eventually(() => broker.log()).toMatch(new RegExp(`New client connected .* u'${username}'`))
    await transport.close(AbortSignal.timeout(1_000))
  }
  expect(dials).toBe(2)
})

test('functions are asked once for all servers, and yield to the credentials of a URL', async () => {
  const broker = await ending(startMosquitto({ users: { ann: 'right', bob: 'wrong' } }))
  let dials = 0
  const password = () => {
    dials += 1
    return 'right'
  }
  const dead = `mqtt://127.0.0.1:${await freePort()}`
  for (let round = 1; round <= 4; round += 1) {
    await open({ url: [dead, broker.url, dead], username: 'ann', password })
    expect(dials).toBe(round)
  }
  await open({ url: broker.url.replace('//', '//bob:wrong@'), username: () => 'ann', password })
  await eventually(() => broker.log()).toMatch(/New client connected .* u'bob'/)
})

test('a function that throws or returns an invalid value is an outage of its option', async () => {
  const broker = await ending(startMosquitto())
  const refusal = (options: Partial<MqttOptions>) =>
    rejection(open({ url: broker.url, username: 'fleet', ...options }))
  const thrown = await refusal({
    password: () => {
      throw new Error('the vault is shut')
    },
  })
  expect(thrown.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(thrown.message).toContain('the option "password" gave no value: the vault is shut')
  const wrong = await refusal({ password: (() => [SECRET]) as never })
  expect(wrong.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(wrong.message).toContain('"password" gave no value: it is a string, not an array')
  expect(shownBy(wrong)).not.toContain(SECRET)
  const missing = await refusal({ username: (async () => undefined) as never, password: SECRET })
  expect(missing.message).toContain('"username" gave no value: it is a string, not undefined')
  const never = await refusal({ password: () => new Promise<string>(() => {}) })
  expect(never.message).toContain('"password" gave no value: no answer within 2000 ms')
})

test('functions run outside of any request', async () => {
  const broker = await ending(startMosquitto({ users: { fleet: 'right' } }))
  const requests = new AsyncLocalStorage<string>()
  const stores: unknown[] = []
  const password = () => {
    stores.push(requests.getStore())
    return 'right'
  }
  await requests.run('a request', () => open({ url: broker.url, username: 'fleet', password }))
  expect(stores).toEqual([undefined])
})

test('a refused secret of a function is an outage at first, and is requested again', async () => {
  const broker = await ending(startMosquitto({ users: { fleet: 'right' } }))
  let password = SECRET
  const transport = make({ url: broker.url, username: 'fleet', password: () => password })
  const refusals = async (count: number) => {
    const codes: unknown[] = []
    for (let round = 0; round < count; round += 1) {
      const error = await rejection(transport.open(patientHost(), endless))
      expect(error.message).toContain('Not authorized')
      expect(shownBy(error) + shownBy(transport)).not.toContain(SECRET)
      codes.push(error.code)
    }
    return codes
  }
  expect(await refusals(5)).toEqual([...Array(4).fill('TRANSPORT_UNAVAILABLE'), 'TRANSPORT_FAILED'])
  password = 'right'
  await transport.open(patientHost(), endless)
  await transport.close(AbortSignal.timeout(1_000))
  password = SECRET
  expect(await refusals(1)).toEqual(['TRANSPORT_UNAVAILABLE'])
})

test('certificates are asked at each dial, over TLS and over secure WebSockets', async () => {
  const [trusted, other] = [authority(), authority()]
  const server = trusted.issue()
  const port = await freePort()
  const files = `certfile ${server.certFile}\nkeyfile ${server.keyFile}\ncafile ${trusted.caFile}`
  const clients = 'require_certificate true\nuse_identity_as_username true'
  const config = `cafile ${trusted.caFile}\n${clients}\nlistener ${port} 127.0.0.1\nprotocol websockets\n${files}\n${clients}`
  const broker = await ending(startMosquitto({ tls: server, config }))
  for (const url of [broker.url, `wss://127.0.0.1:${port}`]) {
    const shown = { ca: other.ca, ...other.issue() }
    const tls = { ca: async () => shown.ca, cert: () => shown.cert, key: () => shown.key }
    const transport = make({ url, tls })
    const refused = async () => (await rejection(transport.open(patientHost(), endless))).code
    expect(await refused()).toBe('TRANSPORT_UNAVAILABLE')
    shown.ca = trusted.ca
    expect(await refused()).toBe('TRANSPORT_UNAVAILABLE')
    Object.assign(shown, trusted.issue())
    await transport.open(patientHost(), endless)
  }
})

test('an unreadable key of a function is reported as an outage', async () => {
  const { ca } = authority()
  const broker = await ending(startMosquitto())
  const url = broker.url.replace('mqtt', 'mqtts')
  const key = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----`
  const broken = await rejection(open({ url, tls: { ca: () => ca, cert: ca, key: () => key } }))
  expect(broken.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(shownBy(broken)).not.toContain(SECRET)
  const empty = await rejection(open({ url, tls: { ca: () => '' } }))
  expect(empty.message).toContain('"tls.ca" gave no value: it is a string with PEM text, not an empty string')
})
