import { ErrorReply } from '@redis/client'
import { expect, test } from 'vitest'
import { testDials } from '../../../test/support/adapters/dials.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { faultOf, lossOf, refusalOf } from '../src/refusal.ts'
import { opened, scene, server, transportTo } from './scene.ts'
import { pushed, scriptedServer } from './scripted-server.ts'

testDials({
  scene,
  scripted: scriptedServer,
  refusal: 'WRONGPASS invalid username-password pair',
  told: (reasons, advice) =>
    `No Redis server took the connection (${reasons}).${advice === 'without' ? '' : ' Check the credentials, the certificates and the version (6 or later).'}`,
  away: (address) => `connect ECONNREFUSED ${address}`,
})

test('reports no frame while it closes', async () => {
  const frame = pushed('message', '$1\r\nx')
  const scripted = await scriptedServer()
  const { transport, host } = await opened([scripted.address])
  await transport.join(POSITIONS, within())
  scripted.say(frame)
  await eventually(() => host.frames.length).toBe(1)
  scripted.beforePong = frame
  await transport.close(within())
  expect(host).toMatchObject({ frames: [{ text: 'x' }], errors: [], endedJoins: [], downs: [] })
})

test('reports no refused frame while it closes', async () => {
  const scripted = await scriptedServer()
  const { transport, host } = await opened([scripted.address])
  transport.send(POSITIONS, 'x')
  scripted.beforePong = '-NOPERM no\r\n'
  await transport.close(within())
  expect(host).toMatchObject({ errors: [], downs: [] })
})

test('reports the reason for the end of a connection, with the cause', async () => {
  const scripted = await scriptedServer()
  const { host } = await opened([scripted.address])
  scripted.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs).toMatchObject([
    {
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'The connection to Redis ended: Socket closed unexpectedly.',
      cause: { message: 'Socket closed unexpectedly' },
    },
  ])
})

test.each([
  ['DENIED Redis 7.2 runs in protected mode.', 'DENIED Redis 7.2 runs in protected mode', 'TRANSPORT_FAILED'],
  ['LOADING until then NOAUTH', 'LOADING until then NOAUTH', 'TRANSPORT_UNAVAILABLE'],
])('classifies the answer %s by its beginning', async (answer, reason, code) => {
  const scripted = await scriptedServer()
  scripted.refusal = answer
  const error = await rejection(transportTo([scripted.address]).open(shortHost(), within()))
  expect(error.code).toBe(code)
  expect(error.message).toContain(`${scripted.address}: ${reason})`)
})

test('dials an IPv6 address without its brackets', async () => {
  const error = await rejection(transportTo([`[::1]:${await freePort()}`]).open(shortHost(), within()))
  expect(error.message).toMatch(/\(\[::1\]:\d+: connect E[A-Z]+ ::1:\d+/)
})

test('rejects a join under way when the connection is closed', async () => {
  const broker = await server()
  const { transport } = await opened(broker)
  await broker.stop()
  const joining = rejection(transport.join(POSITIONS, within()))
  await transport.close(AbortSignal.abort())
  expect((await joining).message).toBe('the connection was closed')
})

test('is refused without permission to ask for the slots', async () => {
  const broker = await server({ config: 'user default on nopass ~* &* +@all -cluster' })
  const error = await rejection(transportTo(broker, { sharded: true }).open(shortHost(), within()))
  expect(error).toMatchObject({ code: 'TRANSPORT_FAILED', message: expect.stringContaining('NOPERM') })
})

test('rejects requests after the loss of its connection', async () => {
  const scripted = await scriptedServer()
  const { transport, host } = await opened([scripted.address])
  scripted.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  expect((await rejection(transport.join(POSITIONS, within()))).message).toBe('the connection is gone')
  expect((await rejection(transport.flush(within()))).message).toBe('the connection is gone')
})

test('sends no UNSUBSCRIBE for a topic without a join', async () => {
  const scripted = await scriptedServer()
  const { transport } = await opened([scripted.address])
  transport.leave(POSITIONS)
  await transport.flush(within())
  expect(scripted.heard).not.toMatch(/unsubscribe/i)
  await transport.join(POSITIONS, within())
  transport.leave(POSITIONS)
  await eventually(() => scripted.heard).toMatch(/unsubscribe/i)
})

test('gives the reason of one server as the cause, those of several together', () => {
  const [one, other] = [new Error('one'), new Error('other')]
  expect(refusalOf([{ server: 'a', cause: one }]).cause).toBe(one)
  const { cause } = refusalOf([one, other].map((error) => ({ server: 'a', cause: error })))
  expect(cause).toMatchObject({ name: 'AggregateError', errors: [one, other] })
})

test('leaves out the full stop of a reason, and repeated arguments', () => {
  const repeated = "ERR unknown command 'X', with args beginning with: 'secret'"
  expect(lossOf(new Error('It is full.')).message).toBe('The connection to Redis ended: It is full.')
  expect(faultOf('No', new ErrorReply(repeated))).toMatchObject({
    message: "No: ERR unknown command 'X'.",
    cause: { message: "ERR unknown command 'X'" },
  })
})

test('sends the commands of a channel one after the other, and forgets them', async () => {
  const scripted = await scriptedServer()
  scripted.answersJoins = false
  const commands = () => scripted.heard.match(/\b(?:unsubscribe|subscribe|PUBLISH)\b/gi)
  const { transport } = await opened([scripted.address])
  const first = rejection(transport.join(POSITIONS, within()))
  transport.leave(POSITIONS)
  await eventually(commands).toEqual(['subscribe'])
  scripted.say(pushed('subscribe', ':1'))
  await first
  await eventually(commands).toEqual(['subscribe', 'unsubscribe'])
  const second = transport.join(POSITIONS, within())
  transport.send(POSITIONS, 'x')
  await eventually(commands).toEqual(['subscribe', 'unsubscribe', 'PUBLISH'])
  scripted.say(`${pushed('unsubscribe', ':0')}:0\r\n`)
  await eventually(() => commands()?.slice(3)).toEqual(['subscribe'])
  scripted.say(pushed('subscribe', ':1'))
  await second
  transport.leave(POSITIONS)
  transport.send(POSITIONS, 'x')
  await eventually(() => commands()?.slice(4)).toEqual(['unsubscribe', 'PUBLISH'])
})
