import { test } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { startMosquitto } from '../../../test/support/brokers.ts'
import { open, topicOf, until } from './open.ts'

const TOPIC = topicOf('positions')

test('200 rounds of opening and closing leave no socket and no timer', { timeout: 120_000 }, async () => {
  const broker = await startMosquitto({ websocket: true })
  const urls = [broker.url, broker.url, broker.url, `ws://127.0.0.1:${broker.portOf('websocket')}`]
  const before = handles()
  for (let round = 0; round < 50; round++) {
    for (const [index, url] of urls.entries()) {
      const { transport } = await open({ url, protocol: index === 0 ? 4 : 5 })
      if (index !== 1) await transport.join(TOPIC, endless)
      transport.send(TOPIC, 'x')
      await transport.close(round % 5 === 0 ? AbortSignal.abort() : endless)
    }
  }
  await until(() => handles().length <= before.length)
  await broker.close()
})

function handles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /TCP|TLS|Timeout|Immediate|TickObject/.test(kind))
    .sort()
}
