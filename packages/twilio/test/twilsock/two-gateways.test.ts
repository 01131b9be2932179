import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Broker, startNats } from '../../../../test/support/brokers.ts'
import { SIGNER } from '../../../gateway/test/support/access-token.ts'
import { ApiClient } from '../../../gateway/test/support/api-client.ts'
import { GatewayProcess } from '../../../gateway/test/support/gateway-process.ts'
import { ACCOUNT, SERVICE, TOKEN } from '../../../gateway/test/support/served-gateway.ts'
import { RawSdk } from '../support/raw-sdk.ts'
import { connected, Ears, established, event, opened, state, tokenOf } from '../support/sync-client.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startNats({ jetstream: true })
})
afterAll(() => broker.close())

function start(port = '0'): GatewayProcess {
  return new GatewayProcess(['--port', port, '--service', SERVICE, '--registry', 'nats'], {
    RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN} ${SIGNER.sid}:${SIGNER.secret}`,
    RIVULET_GATEWAY_TRANSPORT: broker.url,
  })
}

async function two() {
  const processes = [start(), start()] as const
  const urls = [await processes[0].url(), await processes[1].url()] as const
  return { processes, urls, api: new ApiClient(urls[1]) }
}

describe('client SDKs at two gateways on one NATS server', { timeout: 120_000 }, () => {
  test('share streams, messages and removals', async () => {
    const { urls, api } = await two()
    const [alice, bob] = [await connected(urls[0], 'alice'), await connected(urls[1], 'bob')]
    const [here, there] = [await opened(alice, 'shared'), await opened(bob, 'shared')]
    expect(there.sid).toBe(here.sid)
    const [atHere, atThere] = [new Ears(here), new Ears(there)]
    await here.publishMessage({ by: 'alice' })
    expect(await atThere.count(1)).toEqual([{ value: { by: 'alice' }, isLocal: false }])
    await there.publishMessage({ by: 'bob' })
    await atHere.count(2)
    await api.publish('shared', { by: 'rest' })
    await Promise.all([atHere.count(3), atThere.count(3)])
    expect(atHere.heard.map(({ isLocal }) => isLocal)).toEqual([true, false, false])
    expect(atThere.heard.map(({ isLocal }) => isLocal)).toEqual([false, true, false])

    const removals: boolean[] = []
    for (const stream of [here, there]) stream.on('removed', ({ isLocal }) => removals.push(isLocal))
    const isGone = event(there, 'removed')
    await here.removeStream()
    await isGone
    expect(removals.sort()).toEqual([false, true])
    // After a round trip a notice to the one that asked would have come.
    await alice.stream('shared')
    expect(removals).toHaveLength(2)
  })

  test('are subscribed only once messages of the other gateway come too', async () => {
    const { urls, api } = await two()
    const sdk = await (await new RawSdk(urls[0]).open()).init()
    for (let n = 0; n < 30; n++) {
      const { body } = await api.create()
      const requests = [{ object_sid: body.sid, object_type: 'stream' }]
      const subscription = { action: 'establish', correlation_id: n, requests }
      const answered = sdk.request('POST', '/v4/Subscriptions', subscription)
      await sdk.until(
        ({ payload }) => payload?.event_type === 'subscription_established' && payload.correlation_id === n,
      )
      await answered
      await api.publish(body.sid, { n })
      await sdk.until(({ payload }) => payload?.event?.message_data?.n === n)
    }
  })

  test('open one stream when they open a new name at once', async () => {
    const { urls } = await two()
    const clients = [await connected(urls[0]), await connected(urls[1])]
    const streams = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (clients[n % 2] as (typeof clients)[0]).stream('contested')),
    )
    expect(new Set(streams.map(({ sid }) => sid)).size).toBe(1)
  })

  test('find their streams again after a gateway was killed, and keep their storage', async () => {
    const { processes, urls } = await two()
    const storageOf = async (url: string) => {
      const sdk = await new RawSdk(url).open()
      const { header } = await sdk.ask({ method: 'init', token: tokenOf('alice') })
      return header.offline_storage.data_sync.storage_id
    }
    const storage = await storageOf(urls[0])
    expect(await storageOf(urls[1])).toBe(storage)
    const client = await connected(urls[0])
    const stream = await opened(client, 'kept')
    const isLost = state(client, 'connecting')
    await processes[0].kill('SIGKILL')
    await isLost
    const returns = established(stream)
    const again = start(new URL(urls[0]).port)
    await again.url()
    await returns
    const ears = new Ears(stream)
    await new ApiClient(urls[1]).publish('kept', { n: 1 })
    expect(await ears.count(1)).toHaveLength(1)
    expect(await storageOf(urls[0])).toBe(storage)
  })
})
