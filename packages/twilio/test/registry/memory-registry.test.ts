import { memoryRegistry, type StreamRecord } from '@rivulet/twilio'
import { expect, test } from 'vitest'
import { SERVICE } from '../../../gateway/test/support/served-gateway.ts'

test('each registry in memory has an epoch of its own, and keeps it', async () => {
  const [one, other] = [memoryRegistry(), memoryRegistry()]
  const { epoch } = one
  await one.create(SERVICE, 'a', 0, 'system')
  expect(one.epoch).toBe(epoch)
  expect(other.epoch).not.toBe(epoch)
  expect([one.status, other.status]).toEqual(['up', 'up'])
})

test('a stream keeps who created it when it gets more time', async () => {
  const registry = memoryRegistry()
  const created = (await registry.create(SERVICE, 'a', 0, 'bob')) as StreamRecord
  expect(created).toMatchObject({ createdBy: 'bob' })
  expect(await registry.setTtl(created, 100)).toMatchObject({ createdBy: 'bob' })
  expect(registry.find(SERVICE, 'a')).toMatchObject({ createdBy: 'bob' })
  await registry.close()
})

test('the clock of a registry is called on no object', async () => {
  const seen = new Set<unknown>()
  const nowMs = function (this: unknown) {
    seen.add(this)
    return Date.now()
  }
  const registry = memoryRegistry({ nowMs })
  await registry.create(SERVICE, 'a', 100, 'bob')
  expect(registry.find(SERVICE, 'a')).toMatchObject({ createdBy: 'bob' })
  expect(seen).toEqual(new Set([undefined]))
  await registry.close()
})
