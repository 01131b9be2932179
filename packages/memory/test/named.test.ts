import { type MemoryBus, transportFromUrls } from '@rivulet/memory'
import type { ContractBackend } from 'rivulet/testing'
import { testTransport } from 'rivulet/testing'
import { describe, expect, test } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { clientOf, TOPIC, tick } from './client.ts'
import { elsewhere } from './elsewhere.ts'

const registry = () => {
  const shared = globalThis as { [name: symbol]: unknown }
  return shared[Symbol.for('rivulet.memory')] as Map<string, { bus: MemoryBus }>
}

describe('transports of one name', () => {
  testTransport({ test, create: () => namedBackend('memory:contract') })
})

/** Makes a bus under the name that the other process uses too, kept alive by its own transport. */
async function namedBackend(url: string): Promise<ContractBackend> {
  const keeper = clientOf(transportFromUrls([url]))
  await keeper.transport.open(keeper.host, endless)
  const { bus } = registry().get('contract') as { bus: MemoryBus }
  return {
    transport: () => transportFromUrls([url]),
    elsewhere,
    down: async () => bus.down(),
    up: async () => bus.up(),
    close: () => keeper.transport.close(endless),
  }
}

describe('memory:name', () => {
  test('links all transports of the same name, and no others', async () => {
    const [a, b, c] = ['memory:one', 'memory:one', 'memory:two'].map((url) =>
      clientOf(transportFromUrls([url])),
    )
    const clients = [a, b, c].filter((client) => client !== undefined)
    for (const { transport, host } of clients) {
      await transport.open(host, endless)
      await transport.join(TOPIC, endless)
    }
    a?.transport.send(TOPIC, 'hello')
    await tick()
    expect(clients.map(({ host }) => host.texts())).toEqual([[], ['hello'], []])
    for (const { transport } of clients) await transport.close(endless)
  })

  test('is dropped when the last one closes, however often each does', async () => {
    const [a, b] = [
      clientOf(transportFromUrls(['memory:dropped'])),
      clientOf(transportFromUrls(['memory:dropped'])),
    ]
    expect(registry()?.has('dropped') ?? false).toBe(false)
    await a.transport.open(a.host, endless)
    await b.transport.open(b.host, endless)
    const first = registry().get('dropped')
    await Promise.all([a.transport.close(endless), a.transport.close(endless)])
    await a.transport.close(endless)
    expect(registry().get('dropped')).toBe(first)
    await b.transport.close(endless)
    expect(registry().has('dropped')).toBe(false)
    await a.transport.open(a.host, endless)
    expect(registry().get('dropped')).not.toBe(first)
    await a.transport.close(endless)
    expect(registry().has('dropped')).toBe(false)
  })

  test('lets a transport open again while its close still waits', async () => {
    const { transport, host } = clientOf(transportFromUrls(['memory:again']))
    await transport.open(host, endless)
    registry().get('again')?.bus.freeze()
    const closing = transport.close(endless)
    const opening = transport.open(host, endless)
    registry().get('again')?.bus.thaw()
    await Promise.all([closing, opening])
    expect(registry().has('again')).toBe(true)
    expect(transport.send(TOPIC, 'x')).toBe('sent')
    await transport.close(endless)
    expect(registry().has('again')).toBe(false)
  })

  test('is not made by an open that is aborted before', async () => {
    const { transport, host } = clientOf(transportFromUrls(['memory:aborted']))
    await expect(transport.open(host, AbortSignal.abort('no'))).rejects.toBe('no')
    expect(registry()?.has('aborted') ?? false).toBe(false)
  })

  test('takes options as a query, which have to agree', async () => {
    const url =
      'memory:options?seed=7&loss=0.5&duplicate=0.25&reorder=0.1&delayMs=1,5&echoes=true&maxFrameBytes=100'
    const { transport, host } = clientOf(transportFromUrls([url]))
    const { maxFrameBytes, ...claims } = transport.capabilities
    expect({ ...claims, maxFrameBytes: maxFrameBytes(TOPIC) }).toEqual({
      scope: 'process',
      echoes: true,
      ordered: false,
      watch: true,
      maxFrameBytes: 100,
    })
    const other = transportFromUrls(['memory:options'])
    await transport.open(host, endless)
    expect(() => transportFromUrls(['memory:options?seed=8'])).toThrow(
      /in use with the options {"seed":7,.*"maxFrameBytes":100}, not {"seed":8,.*}; use/,
    )
    await expect(other.open(host, endless)).rejects.toMatchObject({
      message: expect.stringMatching(/in use with the options/),
    })
    transportFromUrls([url])
    await other.close(endless)
    await transport.close(endless)
    expect(registry().has('options')).toBe(false)
  })

  test.each([
    [`memory:${'aZ09_-'.repeat(11).slice(0, 64)}`, {}],
    ['memory:short?', {}],
    ['memory:short?alone=true', {}],
    ['memory:short?alone=false&echoes=true', { echoes: true }],
    ['MEMORY:short', {}],
    ['memory:short?&echoes=false&&', { echoes: false }],
    ['memory:short?%65choes=%74rue', { echoes: true }],
  ])('may be called %s', (url, claims) => {
    expect(transportFromUrls([url]).capabilities).toMatchObject({ echoes: false, ordered: true, ...claims })
  })

  test('is not open before its first open, and takes a leave and a close then', async () => {
    const transport = transportFromUrls(['memory:unopened'])
    const refusal = 'The transport is not open; open it first.'
    await expect(transport.join(TOPIC, endless)).rejects.toMatchObject({ message: refusal })
    await expect(transport.watch('default', endless)).rejects.toMatchObject({ message: refusal })
    await expect(transport.flush(endless)).rejects.toMatchObject({ message: refusal })
    transport.leave(TOPIC)
    await transport.close(endless)
    expect(transport.send(TOPIC, 'x')).toBe('offline')
  })

  test('counts a default as given', async () => {
    const { transport, host } = clientOf(transportFromUrls(['memory:defaults']))
    await transport.open(host, endless)
    transportFromUrls(['memory:defaults?loss=0&delayMs=0,0'])
    await transport.close(endless)
  })

  const wrong: readonly [urls: string[], message: RegExp][] = [
    [[], /has one URL, not 0/],
    [['memory:a', 'memory:b'], /has one URL, not 2/],
    [['memory:'], /"memory:" names no memory bus; write memory:name/],
    [['memory://a'], /names no memory bus/],
    [['memory:a b'], /names no memory bus/],
    [['memory:a/b'], /names no memory bus/],
    [[`memory:${'a'.repeat(65)}`], /names no memory bus/],
    [['mqtt:a'], /names no memory bus/],
    [['xmemory:a'], /names no memory bus/],
    [['memory:a\n'], /names no memory bus/],
    [['memory:a?los=1'], /There is no memory option "los"/],
    [['memory:a?__proto__=1'], /There is no memory option "__proto__"/],
    [['memory:a?loss=much'], /"loss" is a chance from 0 to 1, not NaN/],
    [['memory:a?loss='], /"loss" is a chance/],
    [['memory:a?loss'], /"loss" is a chance/],
    [['memory:a?loss=%20'], /"loss" is a chance/],
    [['memory:a?loss=0=1'], /"loss" is a chance/],
    [['memory:a?loss=0.1&loss=0.2'], /"loss" is given twice/],
    // Found by fuzzing: the engine says "URI malformed".
    [['memory:a?%E9=1'], /is not percent-encoded UTF-8/],
    [['memory:a?loss=%'], /write a % as %25/],
    [['memory:a?echoes=1'], /"echoes" is true or false, not "1"/],
    [['memory:a?echoes'], /"echoes" is true or false, not ""\.$/],
    [['memory:a?delayMs=5'], /"delayMs" is a pair/],
    [['memory:a?seed=1#x'], /"seed" is a whole number/],
  ]
  test.each(wrong)('refuses %o', (urls, message) => {
    const refusal = { code: 'INVALID_OPTIONS', message: expect.stringMatching(message) }
    expect(() => transportFromUrls(urls)).toThrow(expect.objectContaining(refusal))
  })
})
