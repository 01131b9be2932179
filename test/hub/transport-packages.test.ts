import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type HubConfig, loadTransportWith, openHubWith } from '../../src/hub/open.ts'
import { TRANSPORT_PACKAGES } from '../../src/hub/transport-packages-web.ts'

const openHub = (config: HubConfig) => openHubWith(TRANSPORT_PACKAGES, config)

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('openHub in browsers and workers', () => {
  test('opens memory: and hands messages over', async () => {
    const [near, far] = [await openHub('memory:web'), await openHub('memory:web')]
    const heard = vi.fn()
    await far.stream('scene').subscribe(({ data }) => heard(data)).ready
    near.stream('scene').publish({ n: 1 })
    await near.flush()
    await vi.advanceTimersByTimeAsync(10)
    expect(heard.mock.calls).toEqual([[{ n: 1 }]])
    await Promise.all([near.close(), far.close()])
  })

  test.each(['nats://127.0.0.1:4222', 'mqtt://127.0.0.1:1883'])('does not know %s', async (url) => {
    await expect(openHub(url)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(
        /^A transport's URL starts with memory: threads: ws: wss:, not (nats|mqtt):/,
      ),
    })
  })
})

describe('loadTransport in browsers', () => {
  test('makes the transport of a URL, and knows the same schemes', async () => {
    expect((await loadTransportWith(TRANSPORT_PACKAGES, 'memory:alone')).name).toBe('memory')
    await expect(loadTransportWith(TRANSPORT_PACKAGES, 'nats://h')).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    })
  })
})

describe('its scheme ws:', () => {
  test('is that of @rivulet/websocket', async () => {
    await expect(openHub('ws://ann:secret@127.0.0.1')).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/WebSocket/),
    })
  })
})

describe('a package of a transport', () => {
  const open = (load: () => Promise<unknown>) =>
    openHubWith([{ name: '@rivulet/absent', schemes: ['absent:'], load }], 'absent://host')
  const missing = (name: string, code = 'ERR_MODULE_NOT_FOUND') =>
    Object.assign(new Error(`Cannot find package '${name}' imported from here`), { code })

  test.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])(
    'that is not installed is named, and trying again does not help: %s',
    async (code) => {
      const cause = missing('@rivulet/absent', code)
      await expect(open(() => Promise.reject(cause))).rejects.toMatchObject({
        code: 'TRANSPORT_MISSING',
        cause,
        message: '@rivulet/absent is not installed; run: npm install @rivulet/absent',
      })
    },
  )

  test('that lacks a package of its own, or fails as it loads, rejects with that', async () => {
    const ofItself = new SyntaxError("'@rivulet/absent' is broken")
    for (const cause of [missing('its-client'), ofItself]) {
      await expect(open(() => Promise.reject(cause))).rejects.toBe(cause)
    }
  })
})
