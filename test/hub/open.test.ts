import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { execa } from 'execa'
import { type HubConfig, loadTransport, openHub, RivuletError } from 'rivulet'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { passUntil, stopTime, tick } from '../support/fake-time.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'
import { ROOT } from '../support/source-files.ts'

const packages = vi.hoisted(() => {
  const packages = {
    /** What each package was asked for. */
    asked: [] as [string, readonly string[]][],
    make: (_urls: readonly string[]): unknown => undefined,
    standIn: (name: string) => () => ({
      transportFromUrls: (urls: readonly string[]) => {
        packages.asked.push([name, urls])
        return packages.make(urls)
      },
    }),
  }
  return packages
})
vi.mock('@rivulet/mqtt', packages.standIn('mqtt'))
vi.mock('@rivulet/nats', packages.standIn('nats'))
vi.mock('@rivulet/redis', packages.standIn('redis'))
vi.mock('@rivulet/replay', packages.standIn('replay'))
vi.mock('@rivulet/threads', packages.standIn('threads'))
vi.mock('@rivulet/websocket', packages.standIn('websocket'))

stopTime()
let transport: ScriptedTransport
beforeEach(() => {
  transport = new ScriptedTransport()
  // The first hub of a test gets that one; a transport belongs to one hub.
  packages.make = () => (packages.asked.length > 1 ? new ScriptedTransport() : transport)
})
afterEach(() => void packages.asked.splice(0))

async function open(config: HubConfig) {
  const hub = await openHub(config)
  onTestFinished(async () => void (await hub.close()))
  return hub
}

describe('openHub', () => {
  test.each([
    ['mqtt://127.0.0.1:1883', 'mqtt'],
    ['mqtts://h', 'mqtt'],
    ['mqtt+ws://h/path', 'mqtt'],
    ['mqtt+wss://h', 'mqtt'],
    ['MQTT://h', 'mqtt'],
    ['nats://127.0.0.1:4222', 'nats'],
    ['tls://h', 'nats'],
    ['redis://127.0.0.1:6379', 'redis'],
    ['rediss://h', 'redis'],
    ['valkey://h', 'redis'],
    ['valkeys://h', 'redis'],
    ['redis-sentinel://h:1,i:2?master=m', 'redis'],
    ['rediss-sentinel://h?master=m', 'redis'],
    ['valkey-sentinel://h?master=m', 'redis'],
    ['valkeys-sentinel://h?master=m', 'redis'],
    ['replay:lines.ndjson', 'replay'],
    ['threads:bus', 'threads'],
    ['ws://h', 'websocket'],
    ['wss://h', 'websocket'],
  ])('loads for %s the package of %s, and resolves when the transport is up', async (url, name) => {
    const hub = await open(url)
    expect(packages.asked).toEqual([[name, [url]]])
    expect([hub.status, hub.name]).toEqual(['up', 'default'])
    expect(transport.opens).toHaveLength(1)
  })

  test('is spared by loadTransport, which makes the transport alone', async () => {
    expect(await loadTransport('nats://h?name=ignored')).toBe(transport)
    expect(packages.asked).toEqual([['nats', ['nats://h']]])
    expect(transport.opens).toHaveLength(0)
    await expect(loadTransport('carrier-pigeon://h')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  test('loads the memory package for memory:, and links hubs of one bus', async () => {
    const [here, there] = [await open('memory:open-hub'), await open('memory:open-hub')]
    const heard: unknown[] = []
    await there?.stream('a').subscribe(({ data }) => heard.push(data)).ready
    here?.stream('a').publish({ n: 1 })
    if (here) await passUntil(here.flush())
    await tick()
    expect(heard).toEqual([{ n: 1 }])
  })

  test('hands a list of URLs of one scheme over as the servers of one hub', async () => {
    await open(['nats://a:1', 'nats://b:2'])
    await open({ transport: ['mqtt://a', 'mqtt://b'] })
    expect(packages.asked).toEqual([
      ['nats', ['nats://a:1', 'nats://b:2']],
      ['mqtt', ['mqtt://a', 'mqtt://b']],
    ])
  })

  test('takes the options of the hub and of its streams from a configuration', async () => {
    const hub = await open(
      JSON.parse(`{
        "transport": "nats://h",
        "name": "fleet",
        "streamDefaults": { "maxBytes": 30 },
        "streams": { "wide": { "maxBytes": 60 } }
      }`) as HubConfig,
    )
    expect(hub.name).toBe('fleet')
    expect(hub.stream('any').tryPublish({ a: 'x'.repeat(30) }).ok).toBe(false)
    expect(hub.stream('wide').tryPublish({ a: 'x'.repeat(30) }).ok).toBe(true)
  })

  test('takes a transport of a third party as an object', async () => {
    const hub = await open({ transport, name: 'third' })
    expect([hub.status, hub.name]).toEqual(['up', 'third'])
    expect(packages.asked).toEqual([])
  })

  test.each<[object, string]>([
    [{ signal: {} }, 'signal is an AbortSignal, not an object.'],
    [{ wait: 'no' }, 'wait is true or false, not "no".'],
    [{ wiat: false }, 'There is no openHub option "wiat"; there are signal, timeoutMs, wait.'],
    [JSON.parse('{"__proto__":{}}'), 'There is no openHub option "__proto__"'],
  ])('refuses the options %j: INVALID_OPTIONS, and loads nothing', async (options, message) => {
    await expect(openHub('nats://h', options)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(message),
    })
    expect(packages.asked).toEqual([])
  })

  test('with wait: false resolves while the broker is away, and comes up by itself', async () => {
    transport.answers.open = new Error('away')
    const hub = await openHub('nats://h', { wait: false })
    onTestFinished(async () => void (await hub.close()))
    const errors: unknown[] = []
    hub.on('error', (error) => errors.push(error))
    const stream = hub.stream('s')
    stream.publish({})
    await tick()
    expect(hub.status).toBe('down')
    expect(stream.ledger().lost.offline).toBe(1)
    transport.answers.open = 'resolve'
    await passUntil(hub.ready())
    expect(errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE', hub: 'default' }])
  })

  test('takes the name of the hub out of the URL, and leaves the rest to the transport', async () => {
    const hub = await open('mqtt://h/p?prefix=a&name=fleet&x=1,2')
    expect(hub.name).toBe('fleet')
    expect(packages.asked).toEqual([['mqtt', ['mqtt://h/p?prefix=a&x=1,2']]])
    expect((await open(['nats://a', 'nats://b?name=second'])).name).toBe('second')
    expect((await open({ transport: 'nats://a?name=url', name: 'option' })).name).toBe('option')
  })

  test('changes nothing else in a query', async () => {
    for (const url of ['mqtt://h?prefix=a?b&x=%2C+%20&clientId=', 'mqtt://h?rename=x']) await open(url)
    await open('mqtt://h?')
    expect(packages.asked.map(([, urls]) => urls[0])).toEqual([
      'mqtt://h?prefix=a?b&x=%2C+%20&clientId=',
      'mqtt://h?rename=x',
      'mqtt://h',
    ])
  })

  test.each<[unknown, string]>([
    [
      'http://h',
      "A transport's URL starts with memory: mqtt: mqtts: mqtt+ws: mqtt+wss: nats: tls: redis: rediss: valkey: valkeys: redis-sentinel: rediss-sentinel: valkey-sentinel: valkeys-sentinel: replay: threads: ws: wss:, not http:",
    ],
    ['ftp://h', 'not ftp:'],
    ['constructor:x', 'not constructor:'], // RELIABILITY 52
    ['127.0.0.1:4222', 'no scheme; did you mean nats://host:port'],
    ['localhost:4222', 'no scheme; did you mean nats://host:port'],
    ['nats:127.0.0.1', 'A URL with nats: has two slashes; did you mean nats://host:port?'],
    ['mqtt:1883', 'A URL with mqtt: has two slashes; did you mean mqtt://host:port?'],
    ['', 'this one has no scheme'],
    [[], 'The list of URLs is empty.'],
    [['nats://a', 'tls://b'], 'The URLs of one hub have one scheme.'],
    [['nats://a', 5], 'this one has no scheme'],
    [[new URL('nats://a')], 'this one has no scheme'],
    [' nats://a', 'this one has no scheme'],
    [5, 'openHub takes a URL, a list of URLs, or { transport, … }, not 5.'],
    [null, 'openHub takes a URL, a list of URLs, or { transport, … }, not null.'],
    [{}, 'The configuration has no transport: a URL, a list of URLs, or a Transport.'],
    [{ transport: 5 }, 'The configuration has no transport'],
    [{ transport: {} }, 'The transport has no open, send, join, leave, watch, flush, close, name'],
    [{ transport: 'nats://a', nmae: 'x' }, 'There is no hub option "nmae"'],
  ])('rejects INVALID_OPTIONS for %j', async (config, message) => {
    await expect(openHub(config as HubConfig)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(message),
    })
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 31, '5' as unknown as number])(
    'rejects INVALID_OPTIONS for timeoutMs %s',
    async (timeoutMs) => {
      await expect(openHub('nats://h', { timeoutMs })).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/^timeoutMs is a whole number from 1 to 2147483647, not /),
      })
      expect(packages.asked).toEqual([])
    },
  )

  test('rejects INVALID_NAME for the name of a hub or a stream that cannot be', async () => {
    await expect(openHub('nats://h?name=a.b')).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(openHub({ transport, streams: { '': {} } })).rejects.toMatchObject({ code: 'INVALID_NAME' })
    expect(transport.opens).toEqual([])
  })

  test('rejects with the error of a transport that does not take its URL', async () => {
    const own = new RivuletError('INVALID_OPTIONS', 'The adapter says so itself.')
    packages.make = () => {
      throw own
    }
    await expect(openHub('nats://h')).rejects.toBe(own)
  })

  // RELIABILITY 6, 7, 8
  test('closes the hub and rejects TRANSPORT_UNAVAILABLE with the cause at timeoutMs', async () => {
    transport.answers.open = new Error('refused')
    const startedMs = performance.now()
    const opening = openHub({ transport }, { timeoutMs: 3000 })
    await expect(passUntil(opening)).rejects.toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message:
        'The transport was not up within 3000 ms; check its address and that the broker runs. ' +
        'Last: No connection over scripted: refused. Trying again. (hub "default")',
      cause: { code: 'TRANSPORT_UNAVAILABLE', cause: new Error('refused') },
    })
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(3000)
    const { length } = transport.opens
    vi.advanceTimersByTime(100_000)
    await tick()
    expect(transport.opens).toHaveLength(length)
    expect(transport.closes.length).toBeGreaterThan(0)
  })

  test('gives up after 10 seconds by default, also on a transport that never answers', async () => {
    transport.answers.open = 'hang'
    transport.answers.close = 'hang'
    const startedMs = performance.now()
    await expect(passUntil(openHub({ transport }), 100)).rejects.toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: expect.stringContaining('within 10000 ms'),
    })
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(10_000)
    expect(performance.now() - startedMs).toBeLessThan(15_000)
  })

  test('tells no cause when there was none', async () => {
    transport.answers.open = 'hang'
    await expect(passUntil(openHub({ transport }, { timeoutMs: 100 }))).rejects.toMatchObject({
      message: expect.stringMatching(
        /within 100 ms; check its address and that the broker runs\. \(hub "default"\)$/,
      ),
    })
  })

  // RELIABILITY 10, 12
  test('rejects at once when the broker refuses for good, and closes the hub', async () => {
    const refusal = new RivuletError('TRANSPORT_FAILED', 'Wrong password.')
    transport.answers.open = refusal
    const startedMs = performance.now()
    await expect(passUntil(openHub({ transport }))).rejects.toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: expect.stringContaining('Wrong password.'),
    })
    expect(performance.now() - startedMs).toBeLessThan(1000)
    vi.advanceTimersByTime(100_000)
    await tick()
    expect(transport.opens).toHaveLength(1)
  })

  test('rejects with the reason of its signal, and closes the hub', async () => {
    const reason = new Error('enough')
    await expect(openHub({ transport }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(transport.opens).toEqual([])
    transport.answers.open = 'hang'
    const controller = new AbortController()
    const opening = openHub({ transport }, { signal: controller.signal })
    await tick()
    expect(transport.opens).toHaveLength(1)
    controller.abort(reason)
    await expect(passUntil(opening)).rejects.toBe(reason)
    expect(transport.opens[0]?.signal.aborted).toBe(true)
  })

  test("logs nothing while it opens, and leaves errors to the hub's listeners afterwards", async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => logged.mockRestore())
    transport.answers.open = new Error('not yet')
    const opening = openHub({ transport })
    await tick()
    transport.answers.open = 'resolve'
    const hub = await passUntil(opening)
    expect(logged).not.toHaveBeenCalled()
    transport.host.error(undefined, new Error('later'))
    expect(logged).toHaveBeenCalledTimes(1)
    await passUntil(hub.close())
  })

  // RELIABILITY 77
  test('shows no part of a URL but its scheme in an error', async () => {
    packages.make = () => new ScriptedTransport()
    const inName = 'nats://user:1234?name=hunter2@h' // a password with a bare `?`
    for (const url of ['http://user:hunter2@h', 'nats://user:hunter2@h?name=a.b', inName, 'hunter2']) {
      const error = await openHub(url).catch((thrown: unknown) => thrown)
      expect(String(error) + JSON.stringify(error)).not.toContain('hunter2')
    }
  })
})

describe('a package that is not installed', () => {
  /** Opens hubs where only the core is installed, with these packages; returns the errors. */
  async function errorsOf(
    packages: Readonly<Record<string, string>>,
    opening: string,
    platform: 'browser' | 'node' = 'node',
  ): Promise<unknown> {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true })
    const modules = join(folder, 'node_modules')
    mkdirSync(modules)
    for (const [name, main] of Object.entries(packages)) {
      const path = join(modules, name)
      mkdirSync(path, { recursive: true })
      writeFileSync(join(path, 'package.json'), '{"type":"module","exports":"./index.js"}')
      writeFileSync(join(path, 'index.js'), main)
    }
    for (const name of ['rxjs', 'eventemitter3']) {
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    }
    const { imports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', imports }))
    const script = `
      import { openHub } from './src/index.ts'
      const told = []
      const note = ({ code, message, cause }) => told.push({ code, message, cause: cause?.code })
      ${opening}
      console.log(JSON.stringify(told))
    `
    writeFileSync(join(folder, 'main.ts'), script)
    const tsx = pathToFileURL(join(ROOT, 'node_modules/tsx/dist/esm/index.mjs')).href
    const conditions = ['--conditions=@rivulet/source', `--conditions=${platform}`]
    const { stdout } = await execa('node', [...conditions, '--import', tsx, 'main.ts'], { cwd: folder })
    return JSON.parse(stdout)
  }

  test.each([
    [
      'node',
      ['memory:x', 'mqtt://h', 'nats://h', 'redis://h', 'replay:x', 'threads:x', 'ws://h'],
      ['memory', 'mqtt', 'nats', 'redis', 'replay', 'threads', 'websocket'],
    ],
    ['browser', ['memory:x', 'threads:x', 'ws://h'], ['memory', 'threads', 'websocket']],
  ] as const)('is TRANSPORT_MISSING, which names it: %s', async (platform, urls, names) => {
    const opening = `for (const url of ${JSON.stringify(urls)}) await openHub(url).catch(note)`
    expect(await errorsOf({}, opening, platform)).toEqual(
      names.map((name) => ({
        code: 'TRANSPORT_MISSING',
        message: `@rivulet/${name} is not installed; run: npm install @rivulet/${name}`,
        cause: 'ERR_MODULE_NOT_FOUND',
      })),
    )
  })

  test('is not mistaken for one that fails to load, which tells its own story, again too', async () => {
    const told = await errorsOf(
      {
        '@rivulet/nats': "import 'a-client-that-is-missing'",
        '@rivulet/memory': "throw new TypeError('broken')",
      },
      `
      for (const url of ['nats://h', 'memory:x']) {
        await openHub(url).catch(note)
        await openHub(url, { wait: false }).catch(note)
      }
      `,
    )
    const missing = expect.stringContaining("'a-client-that-is-missing'")
    const withoutClient = { code: 'ERR_MODULE_NOT_FOUND', message: missing }
    const broken = { message: 'broken' }
    expect(told).toEqual([withoutClient, withoutClient, broken, broken])
  })
})

test('an abort while the package loads rejects with its reason, with wait: false too', async () => {
  const controller = new AbortController()
  const opening = openHub('memory:aborted', { wait: false, signal: controller.signal })
  const reason = new Error('no longer wanted')
  controller.abort(reason)
  await expect(opening).rejects.toBe(reason)
})
