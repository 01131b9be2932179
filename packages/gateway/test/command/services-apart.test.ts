import { openHub } from 'rivulet'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../../test/support/brokers.ts'
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

  test('do not hear each other', async () => {
    const url = await run({ [SERVICE]: { transport: broker.url }, [OTHER]: { transport: broker.url } })
    const [one, other] = [SERVICE, OTHER].map((service) => new ApiClient(url, BASIC, service)) as [
      ApiClient,
      ApiClient,
    ]
    for (const api of [one, other]) await api.create({ UniqueName: 'positions' })
    const client = await listenAt(other.messagesOf('positions'), BASIC)
    expect((await one.publish('positions', { secret: true })).status).toBe(201)
    // The broker delivers in order, so whatever should not come would come before this.
    expect((await other.publish('positions', { secret: false })).status).toBe(201)
    expect(await client.count(1)).toMatchObject([{ data: { secret: false } }])
    await one.publish('positions', { secret: true })
    await other.publish('positions', { last: true })
    expect((await client.count(2)).map(({ data }) => data)).toEqual([{ secret: false }, { last: true }])
  })

  test('are met by other programs under their sids', async () => {
    const url = await run({ [SERVICE]: { transport: broker.url } })
    const hub = await openHub({ transport: broker.url, name: SERVICE })
    onTestFinished(async () => {
      await hub.close()
    })
    let take = (_data: unknown) => {}
    const received = new Promise((resolve) => {
      take = resolve
    })
    const subscription = hub.stream('positions').subscribe(({ data }) => take(data))
    await subscription.ready
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'positions' })
    await api.publish('positions', { truck: 7 })
    expect(await received).toEqual({ truck: 7 })
  })
})
