import { once } from 'node:events'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { wsUrlOf } from '../../../twilio/test/support/sync-client.ts'
import { accessToken } from '../support/access-token.ts'
import { rawPageLetIn } from '../support/let-in-page.ts'
import { servedPages } from '../support/served-pages.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

test('closing hangs up after a second on WebSockets whose client does not answer', async () => {
  const { server, url } = await servedPages()
  const page = await rawPageLetIn(url, accessToken())
  const sdk = new WebSocket(wsUrlOf(url))
  onTestFinished(() => sdk.terminate())
  await once(sdk, 'open')
  for (const socket of [page.socket, sdk]) socket.pause()
  const closing = server.close({ timeoutMs: 60_000 })
  vi.advanceTimersByTime(1_000)
  await closing
})

test('closing does not wait for WebSockets that answer', async () => {
  const { server, url } = await servedPages()
  const page = await rawPageLetIn(url, accessToken())
  await server.close({ timeoutMs: 60_000 })
  expect(await page.closed).toMatchObject({ code: 4101 })
})
