import { openHub } from 'rivulet'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../../test/support/brokers.ts'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { runGateway } from '../../src/command/run-gateway.ts'
import { settingsOf } from '../../src/command/settings.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { ACCOUNT_KEY, SERVICE } from '../support/served-gateway.ts'
import { listenAt } from '../support/sse-client.ts'
import { fileWith } from '../support/temporary-file.ts'

const OTHER = `IS${'3'.repeat(32)}`

describe.each([
  ['NATS', startNats],
  ['MQTT', startMosquitto],
])('two services on one broker, over %s', (_protocol, start) => {
  let broker: Broker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker.close())

  async function run(services: object) {
    const config = { port: 0, logLevel: 'silent', services, keys: [ACCOUNT_KEY] }
    const settings = settingsOf({ config: fileWith('config.json', JSON.stringify(config)) }, {})
    const running = await runGateway(settings)
    onTestFinished(() => running.close())
    return running.url
  }

  /** Another program on the broker, whose hub has the name of a service. */
  async function programOf(service: string) {
    const hub = await openHub({ transport: broker.url, name: service })
    onTestFinished(async () => {
      await hub.close()
    })
    return hub.stream('positions')
  }

  test('do not hear each other, and other programs meet them under their sids', async () => {
    const url = await run({ [SERVICE]: { transport: broker.url }, [OTHER]: { transport: broker.url } })
    const apis = [SERVICE, OTHER].map((service) => new ApiClient(url, BASIC, service))
    const [one, other] = apis as [ApiClient, ApiClient]
    for (const api of apis) await api.create({ UniqueName: 'positions' })
    const client = await listenAt(other.messagesOf('positions'), BASIC)
    const [friendOfOne, friendOfOther] = await Promise.all([programOf(SERVICE), programOf(OTHER)])
    const heard: unknown[] = []
    const subscription = friendOfOne.subscribe(({ data }) => heard.push(data))
    await subscription.ready
    expect((await one.publish('positions', { secret: true })).status).toBe(201)
    await waitFor(() => expect(heard.length).toBeGreaterThan(0))
    // The broker has passed the secret on by now, and keeps the order: it would come before this.
    await friendOfOther.publish({ secret: false })
    expect((await client.count(1)).map(({ data }) => data)).toEqual([{ secret: false }])
    expect(heard).toEqual([{ secret: true }])
  })
})
