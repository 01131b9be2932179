import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startNats } from '../../../../test/support/brokers.ts'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { runGateway } from '../../src/command/run-gateway.ts'
import { settingsOf } from '../../src/command/settings.ts'
import { ApiClient, BASIC, basic } from '../support/api-client.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { ACCOUNT, SERVICE, TOKEN } from '../support/served-gateway.ts'
import { listenAt } from '../support/sse-client.ts'
import { fileWith } from '../support/temporary-file.ts'

const LOCAL = ['--port', '0', '--service', SERVICE]
const READER = `SK${'4'.repeat(32)}`

test('the command serves a local hub, and ends in good order when it is told to', async () => {
  const running = new GatewayProcess([...LOCAL, '--log-level', 'debug'], {
    RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN}`,
  })
  const url = await running.url()
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'secret-plans' })
  const client = await listenAt(api.messagesOf('secret-plans'), BASIC)
  expect((await api.publish('secret-plans', { password: 'swordfish' })).status).toBe(201)
  await client.count(1)
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'up', registry: 'up', pages: 0 })
  const idle = connect(Number(new URL(url).port), '127.0.0.1')
  idle.on('error', () => {})

  expect(await running.kill('SIGTERM')).toBe(0)
  await client.ended
  expect(client.events.at(-1)).toMatchObject({ event: 'closing', data: { reason: 'shutdown' } })
  expect(running.lines).toContainEqual(
    expect.objectContaining({ msg: 'answered', route: 'publish', status: 201 }),
  )
  expect(running.lines.at(-1)).toMatchObject({ msg: 'closed' })
  for (const secret of [TOKEN, 'swordfish', 'secret-plans', BASIC.authorization as string]) {
    expect(running.output).not.toContain(secret)
  }
})

test('of 100 messages at once as many pass as --burst says', async () => {
  const statusesOf = async (args: readonly string[]) => {
    const running = new GatewayProcess([...LOCAL, '--open', ...args])
    const api = new ApiClient(await running.url())
    await api.create({ UniqueName: 'orders' })
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => api.publish('orders', { n })))
    return answers.map(({ status }) => status)
  }
  expect(new Set(await statusesOf(['--burst', '100']))).toEqual(new Set([201]))
  expect(new Set(await statusesOf(['--burst', '1', '--rate-per-second', '1']))).toEqual(new Set([201, 429]))
})

test('a second signal ends the command at once, with the code of an interruption', async () => {
  const running = new GatewayProcess([...LOCAL, '--open'])
  const { port } = new URL(await running.url())
  const begun = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void begun.destroy())
  begun.on('error', () => {})
  const headers =
    'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\nExpect: 100-continue'
  begun.write(`POST /v1/Services/default/Streams HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`)
  const [answer] = await once(begun, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1.1 100 /)
  running.child.kill('SIGINT')
  // It waits for the body of the request now.
  await waitFor(() => expect(running.lines.at(-1)).toMatchObject({ msg: 'closing' }), 60_000)
  expect(await running.kill('SIGINT')).toBe(130)
})

test('the command takes keys with their grants from files', async () => {
  const keys = fileWith('keys', `# the reader\n${READER}:a-secret\n`)
  const grants = [{ streams: 'news/*', allow: ['listen'] }]
  const services = { [SERVICE]: { name: 'fleet', streams: { 'news/a': { maxBytes: 100 } } } }
  const config = fileWith(
    'config.json',
    JSON.stringify({
      port: 0,
      services,
      keys: [
        { sid: ACCOUNT, secret: TOKEN },
        { sid: READER, grants },
      ],
    }),
  )
  const running = new GatewayProcess(['--config', config, '--key-file', keys])
  const url = await running.url()
  const owner = new ApiClient(url)
  for (const UniqueName of ['news/a', 'other']) expect((await owner.create({ UniqueName })).status).toBe(201)
  expect((await owner.publish('news/a', { text: 'x'.repeat(100) })).body.code).toBe(54006)
  const reader = new ApiClient(url, basic(READER, 'a-secret'))
  expect((await reader.fetch('news/a')).status).toBe(200)
  expect((await reader.publish('news/a', {})).status).toBe(403)
  expect((await reader.fetch('other')).status).toBe(403)
})

test('the command says in one sentence why it does not start', async () => {
  const refusals: [args: string[], sentence: RegExp][] = [
    [['--port', '0'], /There are no keys/],
    [['--port', '0', '--open', '--host', '0.0.0.0'], /without keys is for this machine only/],
    [['--port', '0', '--key', 'the-secret'], /A key is "AC…:token"/],
    [['--port', '0', '--key', 'AC1:the-secret'], /The sid of a key is/],
    [['--port', '0', '--key', `${READER}:the-secret`, '--key', `${READER}:another`], /given twice, with two/],
    [['--port', 'x'], /number from 0 to 65535/],
    [['--port', '0', '--open', '--cors', 'app.example'], /An origin is like "https:\/\/app.example"/],
    [['--port', '0', '--open', '--registry', 'x'], /The registry is memory, nats/],
    [['--port', '0', '--open', '--registry', 'nats://ann:the-secret%@h'], /The registry is memory, nats/],
    [['--port', '0', '--open', '--limit', 'pages.burst=0'], /whole number from 1/],
    [['--port', '0', '--open', '--limit', 'pages.brust=5'], /like pages.burst=60/],
    [['--port', '0', '--open', '--page-burst', '60'], /now --limit pages.burst=60/],
  ]
  await Promise.all(
    refusals.map(async ([args, sentence]) => {
      const running = new GatewayProcess(args)
      expect(await running.ended()).toBe(1)
      expect(running.output).toMatch(sentence)
      expect(running.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'))).toHaveLength(
        1,
      )
      expect(running.output).not.toContain('the-secret')
    }),
  )
})

test.each<[config: object, sentence: RegExp]>([
  [{ open: 'false' }, /open is true or false/],
  [{ port: '8080x' }, /port is a number from 0 to 65535/],
  [{ port: 65_536 }, /port is a number from 0 to 65535/],
  [{ host: 5 }, /host is an address/],
  [{ cors: 'https://app.example' }, /cors is a list of origins/],
  [{ allowedHosts: 'box' }, /allowedHosts is a list of texts/],
  [{ allowedHosts: ['box:8080'] }, /An allowed host is a name without a port/],
  [{ playground: 'no' }, /playground is true or false/],
  [{ services: { [SERVICE]: 'nats://host' } }, /services is an object of/],
  [{ open: false, keys: [null] }, /keys is a list of/],
  [{ publicUrl: 5 }, /publicUrl is a URL/],
  [{ registryBucket: 'a.b' }, /registryBucket is a name of letters/],
  [{ registryReplicas: 6 }, /registryReplicas is a number from 1 to 5/],
  [{ drainSeconds: 3601 }, /drainSeconds is a number from 0 to 3600/],
  [{ twilsock: 'yes' }, /twilsock is true or false/],
  [{ twilsock: true }, /twilsock needs keys/],
  [{ pages: 'no' }, /pages is true or false/],
  [{ pages: false, playground: true }, /The playground needs a relay/],
  [{ limits: { streams: { maxPerService: 0 } } }, /limits.streams.maxPerService is a whole number from 1/],
  [{ creationsPerSecond: 20 }, /The option creationsPerSecond is now limits.streams.creationsPerSecond/],
  [{ maxListenersPerholder: 5 }, /unknown field/],
  [{ open: false, keys: [{ sid: ACCOUNT, secret: 'x', grant: [] }] }, /unknown field; there are sid/],
])('a file with %j is not taken for something else', async (given, sentence) => {
  const config = fileWith(
    'config.json',
    JSON.stringify({ port: 0, open: true, logLevel: 'silent', ...given }),
  )
  const start = async () => runGateway(settingsOf({ config }, {}))
  await expect(start()).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringMatching(sentence),
  })
})

test.each([0, 1])('the registry has its credentials from whichever URL has them: %i', async (index) => {
  const broker = await startNats({ jetstream: true, users: { ann: 'p%w' } })
  onTestFinished(() => broker.close())
  const transport = [broker.url, broker.url]
  transport[index] = broker.url.replace('//', '//ann:p%25w@')
  const given = { port: 0, open: true as const, transport, registry: 'nats', logLevel: 'silent' }
  const running = await runGateway(settingsOf(given, {}))
  onTestFinished(() => running.close())
  expect(await (await fetch(`${running.url}/healthz`)).json()).toEqual({
    status: 'up',
    registry: 'up',
    pages: 0,
  })
})

test('the command shows what it can be told', async () => {
  const running = new GatewayProcess(['--help'])
  expect(await running.ended()).toBe(0)
  const known = [
    '--port',
    '--transport',
    '--key',
    '--open',
    '--registry',
    '--playground',
    '--no-twilsock',
    '--no-pages',
  ]
  const limits = [
    ['--max-token-life-seconds', 3600],
    ['--registry-replicas', 1],
    ['--drain-seconds', 0],
    ['--rate-per-second', 30],
    ['--burst', 30],
  ]
  for (const option of [...known, '--limit <name=number>']) expect(running.output).toContain(option)
  for (const limit of ['pages.burst=30', 'listeners.maxPerKey=2000', 'sdk.maxSubscriptions=1000']) {
    expect(running.output).toContain(limit)
  }
  expect(running.output).not.toContain('--page-burst')
  const shown = running.output.replaceAll(/\s+/g, ' ')
  for (const [flag, most] of limits) {
    expect(shown).toMatch(new RegExp(`${flag} <number> [^<]*\\(default: ${most}\\)`))
  }
})
