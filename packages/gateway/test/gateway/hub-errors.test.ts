import { createGateway, type GatewayOptions } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ACCOUNT_KEY } from '../support/served-gateway.ts'

/** Has a subscriber of the service throw at the hub of a gateway. Gives what the console was told. */
function failingSubscriber(options: Partial<GatewayOptions> = {}) {
  const told = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => told.mockRestore())
  const hub = createHub({ name: 'fleet' })
  onTestFinished(() => hub.close().then(() => {}))
  const gateway = createGateway({ hub, keys: [ACCOUNT_KEY], ...options })
  onTestFinished(() => gateway.close())
  const stream = hub.stream('positions')
  stream.subscribe(() => {
    throw new Error('swordfish')
  })
  stream.publish({ truck: 7 })
  return told.mock.calls
}

test('a gateway without a log leaves the errors of its hub to the console', () => {
  const error = { code: 'LISTENER_FAILED', stream: 'positions', cause: { message: 'swordfish' } }
  expect(failingSubscriber()).toMatchObject([[expect.any(String), error]])
})

test('a gateway with a log writes errors of its hub there, without what was thrown', () => {
  const lines: object[] = []
  const log = { debug() {}, info() {}, warn: (line: object) => lines.push(line), error() {} }
  expect(failingSubscriber({ log })).toEqual([])
  expect(lines).toEqual([{ code: 'LISTENER_FAILED', hub: 'fleet', stream: 'positions' }])
})
