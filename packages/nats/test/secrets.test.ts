import { AsyncLocalStorage } from 'node:async_hooks'
import { nkeys } from '@nats-io/transport-node'
import type { Hub, RivuletError } from 'rivulet'
import { expect, test } from 'vitest'
import { SECRET, shownBy } from '../../../test/support/adapters/invalid-options.ts'
import { authority } from '../../../test/support/adapters/scene.ts'
import { rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually, makeLive } from '../../../test/support/live.ts'
import type { NatsOptions } from '../src/index.ts'
import { opened, server, transportTo } from './scene.ts'

type KeyPair = ReturnType<typeof nkeys.createUser>

/** Makes a server's configuration with one user. */
const annWith = (password: string) => `authorization { users: [ { user: ann, password: "${password}" } ] }`

async function refusal(broker: Broker, options: NatsOptions) {
  return await rejection(transportTo(broker, options).open(shortHost(), within()))
}

/** Makes a hub that subscribes, and returns its messages and events. */
function listening(broker: Broker, options: NatsOptions) {
  const hub = makeLive({ transport: transportTo(broker, options) })
  const [errors, heard, statuses]: [RivuletError[], unknown[], string[]] = [[], [], []]
  hub.on('error', (error) => errors.push(error))
  hub.on('status', (status) => statuses.push(status))
  const subscription = hub.stream('positions').subscribe(({ data }) => heard.push(data))
  return { hub, errors, heard, statuses, subscription }
}

/** Publishes with one hub and expects another one to receive it. */
async function expectHeard(from: Hub, heard: readonly unknown[], data: { n: number }): Promise<void> {
  from.stream('positions').publish(data)
  await eventually(() => heard).toContainEqual(data)
}

test.each([
  ['returns', (read: () => string) => read],
  ['promises', (read: () => string) => async () => read()],
])('a hub reconnects with the new password that a function %s after a reload', async (_how, of) => {
  const broker = await server({ config: annWith('old') })
  let password = 'old'
  const options = { user: 'ann', password: of(() => password) }
  const [receiver, publisher] = [listening(broker, options), listening(broker, options)]
  await Promise.all([receiver.subscription.ready, publisher.hub.ready()])
  await expectHeard(publisher.hub, receiver.heard, { n: 1 })

  broker.reload(annWith('new'))
  for (const { hub } of [receiver, publisher]) await eventually(() => hub.status).toBe('down')
  password = 'new'
  for (const { hub } of [receiver, publisher]) await hub.ready()
  await expectHeard(publisher.hub, receiver.heard, { n: 2 })
  expect(receiver.statuses).toEqual(['up', 'down', 'up'])
  for (const { code } of receiver.errors) expect(code).toBe('TRANSPORT_UNAVAILABLE')
})

test('a hub comes back with a new user JWT when the old one has expired', async () => {
  const realm = realmOfJwts()
  const broker = await server({ config: realm.config })
  const seconds = Math.ceil(Date.now() / 1000)
  const lives = [seconds + 3, seconds + 3_600]
  const { hub, heard, statuses, errors } = listening(broker, {
    credentials: async () => realm.credentials(lives.shift() ?? 0),
  })
  await eventually(() => statuses).toEqual(['up', 'down', 'up'])
  expect(errors[0]?.message).toMatch(/expired\. The options are asked again soon\./i)
  await hub.ready()
  const publisher = makeLive({
    transport: transportTo(broker, { credentials: realm.credentials(seconds + 3_600) }),
  })
  await publisher.ready()
  await expectHeard(publisher, heard, { n: 1 })
})

test('a token and the seed of an nkey may be functions', async () => {
  const withToken = await server({ config: 'authorization { token: "to ken" }' })
  await opened(withToken, { token: () => 'to ken' })
  const pair = nkeys.createUser()
  const withKey = await server({ config: `authorization { users: [ { nkey: ${pair.getPublicKey()} } ] }` })
  await opened(withKey, { nkey: async () => seedOf(pair) })
})

test('a function that throws or returns an invalid value is an outage of its option', async () => {
  const broker = await server()
  const thrown = await refusal(broker, {
    token: () => {
      throw new Error('the vault is shut')
    },
  })
  expect(thrown.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(thrown.message).toContain('the option "token" gave no value: the vault is shut')
  const rejected = await refusal(broker, { token: () => Promise.reject(new Error('no vault')) })
  expect(rejected.message).toContain('"token" gave no value: no vault')
  const wrong: [NatsOptions, string][] = [
    [
      { user: 'ann', password: (() => [SECRET]) as never },
      '"password" gave no value: it is a string, not an array',
    ],
    [{ nkey: () => SECRET }, '"nkey" is a seed (SU…); this one cannot be read'],
    [{ credentials: () => SECRET }, '"credentials" is the content of a file; this one cannot be read'],
    [{ tls: (() => SECRET) as never }, '"tls" gave no value: it is true, false or an object'],
    [{ tls: () => ({ cb: SECRET }) as never }, 'There is no NATS TLS option "cb"'],
    [{ tls: () => ({ key: [SECRET] }) as never }, 'The NATS TLS option "key" is a string with PEM text'],
    [{ token: () => new Promise<string>(() => {}) }, '"token" gave no value: no answer within 2000 ms'],
  ]
  for (const [options, text] of wrong) {
    const error = await refusal(broker, options)
    expect(error.code).toBe('TRANSPORT_UNAVAILABLE')
    expect(error.message).toContain(text)
    expect(error.message).toContain('function')
    expect(shownBy(error)).not.toContain(SECRET)
  }
})

test('a hub whose function throws retries, and is up once it returns the secret', async () => {
  const broker = await server({ config: annWith('right') })
  let isShut = true
  const { hub, errors } = listening(broker, {
    user: 'ann',
    password: () => {
      if (isShut) throw new Error('the vault is shut')
      return 'right'
    },
  })
  await eventually(() => errors.length).toBe(1)
  expect(errors[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  expect(errors[0]?.message).toContain('"password" gave no value: the vault is shut')
  isShut = false
  await hub.ready()
})

test('a secret that a function gives is refused as an outage four times, then for good', async () => {
  const broker = await server({ users: { ann: 'right' } })
  const transport = transportTo(broker, { user: 'ann', password: () => SECRET })
  const codes: unknown[] = []
  for (let round = 0; round < 5; round += 1) {
    const error = await rejection(transport.open(shortHost(), within()))
    expect(error.message).toContain('Authorization Violation')
    expect(shownBy(error) + shownBy(transport)).not.toContain(SECRET)
    codes.push(error.code)
  }
  expect(codes).toEqual([...Array(4).fill('TRANSPORT_UNAVAILABLE'), 'TRANSPORT_FAILED'])
})

test('a hub reports a password that stays wrong as TRANSPORT_FAILED in the end', async () => {
  const broker = await server({ users: { ann: 'right' } })
  const { hub, errors } = listening(broker, { user: 'ann', password: () => SECRET })
  await eventually(() => errors.map(({ code }) => code)).toEqual([
    'TRANSPORT_UNAVAILABLE',
    'TRANSPORT_FAILED',
  ])
  expect((await rejection(hub.ready())).code).toBe('TRANSPORT_FAILED')
})

test('functions run outside of any request', async () => {
  const broker = await server({ config: 'authorization { token: right }' })
  const requests = new AsyncLocalStorage<string>()
  const stores: unknown[] = []
  const token = () => {
    stores.push(requests.getStore())
    return 'right'
  }
  await requests.run('a request', () => opened(broker, { token }))
  expect(stores).toEqual([undefined])
})

test('certificates are asked at each dial', async () => {
  const [trusted, untrusted] = [authority(), authority()]
  const { certFile, keyFile } = trusted.issue()
  const broker = await server({
    config: `tls { cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${trusted.caFile}", verify: true }`,
  })
  const own = trusted.issue('DNS:client')
  let ca = untrusted.ca
  let asked = 0
  const transport = transportTo(broker, {
    tls: async () => {
      asked += 1
      return { ca, cert: own.cert, key: own.key }
    },
  })
  const error = await rejection(transport.open(shortHost(), within()))
  expect(error.message).toMatch(/certificate|signature/)
  ca = trusted.ca
  await transport.open(shortHost(), within())
  expect(asked).toBe(2)
})

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed())
}

/** Makes a server's configuration that accepts user JWTs, and issues such JWTs as `.creds` files. */
function realmOfJwts() {
  const [operator, account] = [nkeys.createOperator(), nkeys.createAccount()]
  const accountId = account.getPublicKey()
  const operatorJwt = signed(operator, operator, { type: 'operator', version: 2 })
  const limits = { subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1 }
  const accountJwt = signed(operator, account, { type: 'account', version: 2, limits })
  return {
    config: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${accountId}: ${accountJwt} }`,
    credentials(expiresSeconds: number): string {
      const user = nkeys.createUser()
      const claims = { type: 'user', version: 2, subs: -1, data: -1, payload: -1 }
      const jwt = signed(account, user, claims, expiresSeconds)
      const block = (name: string, text: string) =>
        `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`
      return `${block('NATS USER JWT', jwt)}\n${block('USER NKEY SEED', seedOf(user))}`
    },
  }
}

/** Signs a JWT of NATS (algorithm `ed25519-nkey`). */
function signed(issuer: KeyPair, subject: KeyPair, nats: object, exp?: number): string {
  const [iss, sub] = [issuer.getPublicKey(), subject.getPublicKey()]
  const claims = { jti: sub, iat: Math.floor(Date.now() / 1000), iss, sub, name: 'test', nats, exp }
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode(claims)}`
  const signature = Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')
  return `${text}.${signature}`
}
