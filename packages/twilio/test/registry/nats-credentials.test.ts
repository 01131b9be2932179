import { AsyncLocalStorage } from 'node:async_hooks'
import { type NatsRegistryOptions, openNatsRegistry } from '@rivulet/twilio/registry-nats'
import { expect, onTestFinished, test } from 'vitest'
import { startNats } from '../../../../test/support/brokers.ts'
import { ending, eventually } from '../../../../test/support/live.ts'
import { SERVICE } from '../../../gateway/test/support/served-gateway.ts'

const permitting = (token: string) => `authorization { token: "${token}" }`

async function open(options: NatsRegistryOptions) {
  const registry = await openNatsRegistry(options)
  onTestFinished(() => registry.close())
  return registry
}

test.each([
  ['told', (token: string) => token],
  ['promised', async (token: string) => token],
])('a registry reconnects with the next token, %s, however often it is refused', async (_, give) => {
  const broker = await ending(startNats({ jetstream: true, config: permitting('first') }))
  let [token, asked] = ['first', 0]
  const registry = await open({
    servers: broker.url,
    token: () => {
      asked += 1
      return give(token)
    },
  })
  expect(asked).toBe(1)
  await registry.create(SERVICE, 'orders', 0, 'system')
  broker.reload(permitting('second'))
  await eventually(() => registry.status).toBe('down')
  await eventually(() => asked).toBeGreaterThan(4)
  token = 'second'
  await eventually(() => registry.status).toBe('up')
  expect(await registry.find(SERVICE, 'orders')).toMatchObject({ uniqueName: 'orders' })
})

test('a registry whose token is refused for a while comes back', async () => {
  const broker = await ending(startNats({ jetstream: true, config: permitting('right') }))
  const registry = await open({ servers: broker.url, token: 'right' })
  broker.reload(permitting('other'))
  // The client ends for good at the second refusal in a row unless it is told not to.
  await eventually(() => broker.log().match(/authentication error/g)?.length).toBeGreaterThan(3)
  broker.reload(permitting('right'))
  await eventually(() => registry.status).toBe('up')
})

test('a registry uses what a function gave before where that fails later', async () => {
  const broker = await ending(startNats({ jetstream: true, config: permitting('right') }))
  let asked = 0
  const registry = await open({
    servers: broker.url,
    token: () => {
      asked += 1
      if (asked > 1) throw new Error('the vault is shut')
      return 'right'
    },
  })
  await broker.kill()
  await eventually(() => registry.status).toBe('down')
  await broker.start()
  await eventually(() => registry.status).toBe('up')
  expect(asked).toBeGreaterThan(1)
})

test('functions of a registry run outside of any request', async () => {
  const broker = await ending(
    startNats({ jetstream: true, config: 'authorization { user: a, password: b }' }),
  )
  const requests = new AsyncLocalStorage<string>()
  const stores: unknown[] = []
  const noting = (text: string) => () => {
    stores.push(requests.getStore())
    return text
  }
  await requests.run('a request', () =>
    open({ servers: broker.url, user: noting('a'), password: noting('b') }),
  )
  expect(stores).toEqual([undefined, undefined])
})

test('a registry is not opened where a function gives no text; the error names it', async () => {
  const opening = (password: () => unknown) =>
    openNatsRegistry({ servers: '127.0.0.1:1', user: 'ann', password: password as () => string })
  await expect(opening(() => Promise.reject(new Error('the vault is shut')))).rejects.toMatchObject({
    code: 'TRANSPORT_UNAVAILABLE',
    message: expect.stringContaining('"password" gave no value: the vault is shut'),
  })
  await expect(opening(() => ['hunter2'])).rejects.toMatchObject({
    message: expect.stringContaining('"password" gave no value: it is a text, not an array'),
  })
})
