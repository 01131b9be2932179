import { DEFAULT_SERVICE_SID } from '@rivulet/twilio'
import { expect, test } from 'vitest'
import { commandLine } from '../../src/command/command-line.ts'
import { type Settings, settingsOf } from '../../src/command/settings.ts'
import { SERVICE } from '../support/served-gateway.ts'
import { fileWith } from '../support/temporary-file.ts'

const OTHER = `IS${'3'.repeat(32)}`
const BROKER = 'nats://127.0.0.1:4222'

async function settings(args: string[], config?: object): Promise<Settings> {
  const file = config === undefined ? [] : ['--config', fileWith('config.json', JSON.stringify(config))]
  let found: Settings | undefined
  const take = async (options: Parameters<typeof settingsOf>[0]) => {
    found = settingsOf(options, {})
  }
  await commandLine(take).parseAsync(['node', 'rivulet-gateway', ...args, ...file])
  if (found === undefined) throw new Error('the command did not run')
  return found
}

test('limits are told by options and by the file, where options count more', async () => {
  const flags = ['--limit', 'streams.creationsPerSecond=7', '--limit', 'streams.maxPerService=8']
  const limits = {
    streams: { maxPerService: 9 },
    sdk: { maxWaitingBytes: 10 },
    listeners: { maxPerHolder: 11 },
  }
  expect((await settings(flags, { limits })).limits).toEqual({
    streams: { creationsPerSecond: 7, maxPerService: 8 },
    sdk: { maxWaitingBytes: 10 },
    listeners: { maxPerHolder: 11 },
  })
  expect((await settings([])).limits).toEqual({})
})

test('the rate limit of options or the file holds for services without their own', async () => {
  const limitsOf = async (args: string[], config?: object) =>
    Object.values((await settings(args, config)).services).map(({ streamDefaults }) => streamDefaults?.limit)
  expect(await limitsOf([])).toEqual([undefined])
  expect(await limitsOf(['--burst', '300'])).toEqual([{ burst: 300 }])
  const services = {
    [SERVICE]: { streamDefaults: { limit: false } },
    [OTHER]: { streamDefaults: { limit: { burst: 5 }, maxBytes: 100 } },
    [`IS${'4'.repeat(32)}`]: {},
  }
  expect(await limitsOf(['--rate-per-second', '50'], { services, ratePerSecond: 40, burst: 400 })).toEqual([
    false,
    { ratePerSecond: 50, burst: 5 },
    { ratePerSecond: 50, burst: 400 },
  ])
  for (const config of [{ burst: 0 }, { ratePerSecond: '50' }]) {
    await expect(settings([], config)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(`${Object.keys(config)[0]} is a number from 1`),
    })
  }
})

test('client SDKs are served unless an option or the file says otherwise', async () => {
  expect(await settings([])).not.toHaveProperty('twilsock')
  expect(await settings(['--no-twilsock'])).toMatchObject({ twilsock: false })
  expect(await settings([], { twilsock: false })).toMatchObject({ twilsock: false })
  expect(await settings(['--no-twilsock'], { twilsock: true })).toMatchObject({ twilsock: false })
})

test("a hub is called by its service's sid, unless there is a name or no service", async () => {
  const namesOf = async (args: string[], config?: object) =>
    Object.entries((await settings(args, config)).services).map(([sid, { name }]) => [sid, name])
  expect(await namesOf([])).toEqual([[DEFAULT_SERVICE_SID, undefined]])
  expect(await namesOf(['--transport', BROKER])).toEqual([[DEFAULT_SERVICE_SID, undefined]])
  expect(await namesOf(['--name', 'fleet'])).toEqual([[DEFAULT_SERVICE_SID, 'fleet']])
  expect(await namesOf(['--service', SERVICE])).toEqual([[SERVICE, SERVICE]])
  expect(await namesOf(['--service', SERVICE, '--name', 'fleet'])).toEqual([[SERVICE, 'fleet']])
  // What stands in the URL is the name, too.
  expect(await namesOf(['--service', SERVICE, '--transport', `${BROKER}?name=fleet`])).toEqual([
    [SERVICE, undefined],
  ])
  const services = { [SERVICE]: { transport: BROKER }, [OTHER]: { transport: BROKER, name: 'fleet' } }
  expect(await namesOf([], { services })).toEqual([
    [SERVICE, SERVICE],
    [OTHER, 'fleet'],
  ])
})

const PAIRS: [what: string, one: object, other: object, areApart: boolean][] = [
  ['one URL', { transport: BROKER }, { transport: BROKER }, false],
  ['other credentials', { transport: 'nats://a:b@127.0.0.1:4222' }, { transport: BROKER }, false],
  ['the port left out', { transport: 'nats://127.0.0.1' }, { transport: BROKER }, false],
  ['the host in capitals', { transport: 'nats://HOST' }, { transport: 'nats://host:4222' }, false],
  ['a server in common', { transport: [BROKER, 'nats://b:4222'] }, { transport: ['nats://b'] }, false],
  ['one bus in memory', { transport: 'memory:bus' }, { transport: 'memory:bus' }, false],
  ['another bus in memory', { transport: 'memory:bus' }, { transport: 'memory:other' }, true],
  ['another port', { transport: BROKER }, { transport: 'nats://127.0.0.1:4223' }, true],
  ['no transport', {}, {}, true],
]

test.each(PAIRS)('two services of one name, with %s', async (_what, one, other, areApart) => {
  const named = (name: string) => ({
    services: { [SERVICE]: { ...one, name: 'fleet' }, [OTHER]: { ...other, name } },
  })
  const expected = {
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining(`${SERVICE} and ${OTHER} have one`),
  }
  if (areApart) await settings([], named('fleet'))
  else await expect(settings([], named('fleet'))).rejects.toMatchObject(expected)
  await settings([], named('other'))
})

test('refuses two services of one name in their URLs, and separates those without', async () => {
  const inUrls = { [SERVICE]: { transport: `${BROKER}?name=a` }, [OTHER]: { transport: BROKER, name: 'a' } }
  await expect(settings([], { services: inUrls })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  await settings([], { services: { [SERVICE]: { transport: BROKER }, [OTHER]: { transport: BROKER } } })
})
