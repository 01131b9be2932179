import { createHub, type Hub, RivuletError } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually } from '../../../test/support/live.ts'
import type { NatsOptions } from '../src/index.ts'
import { bareClient, server, transportTo } from './scene.ts'

const SUBJECT = 'rivulet.fleet.positions'

/** The permissions of the one user, as lines of a server's configuration. */
function permitted(permissions: string): string {
  return `authorization { users: [ { user: ann, password: right, permissions: { ${permissions} } } ] }`
}

/** Opens a hub that closes with the test, and records its events and those of its stream `positions`. */
async function openHub(broker: Broker, options?: NatsOptions) {
  const transport = transportTo(broker, options)
  const hub = createHub({ transport, name: 'fleet' })
  onTestFinished(async () => {
    await hub.close()
  })
  const errors: unknown[] = []
  const heard: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  const stream = hub.stream('positions')
  stream.on('error', (error) => errors.push(error))
  const subscription = stream.subscribe(({ data }) => heard.push(data))
  await hub.ready()
  return { transport, hub, stream, subscription, errors, heard }
}

/** Waits until everything from the server has been read, and resolves to the hub's state. */
async function statusAfterBarrier(hub: Hub, flush: (signal: AbortSignal) => Promise<void>): Promise<string> {
  await flush(within())
  return hub.status
}

test('joins a stream again once a permission that was revoked is granted', async () => {
  const ann = { user: 'ann', password: 'right' }
  const broker = await server({ config: permitted('') })
  const { transport, hub, subscription, errors, heard } = await openHub(broker, ann)
  const client = await bareClient(broker, { user: 'ann', pass: 'right' })
  const publish = async (n: number) => {
    client.publish(SUBJECT, JSON.stringify({ data: { n } }))
    await client.flush()
  }
  const first = subscription.ready
  await first
  await publish(1)
  await eventually(() => heard).toEqual([{ n: 1 }])

  broker.reload(permitted(`subscribe: { deny: "${SUBJECT}" }`))
  await eventually(() => errors.length).toBe(1)
  expect(RivuletError.is(errors[0])).toBe(true)
  expect(errors[0]).toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'fleet', stream: 'positions' })
  expect(errors[0]).toMatchObject({ cause: { name: 'PermissionViolationError' } })
  expect(subscription.ready).not.toBe(first)
  await publish(2)
  expect(await statusAfterBarrier(hub, (signal) => transport.flush(signal))).toBe('up')

  broker.reload(permitted(''))
  const outcome = () =>
    subscription.ready.then(
      () => 'joined',
      (error) => error.code,
    )
  await eventually(outcome).toBe('joined')
  await publish(3)
  await eventually(() => heard).toEqual([{ n: 1 }, { n: 3 }])
})

test('finds the stream on which the server hangs up, and keeps the others joined', async () => {
  const broker = await server({ config: 'max_control_line: 512' })
  const { hub, errors, heard, subscription } = await openHub(broker)
  const client = await bareClient(broker)
  const statuses: string[] = []
  hub.on('status', (status) => statuses.push(status))
  const costly = hub.stream('日'.repeat(320))
  const reported: unknown[] = []
  costly.on('error', (error) => reported.push(error))
  const refusal = await costly.subscribe(() => {}).ready.catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'TRANSPORT_FAILED' })
  expect((refusal as Error).message).toMatch(/connection is lost each time/)
  expect(reported).toEqual([refusal])

  await hub.ready()
  await subscription.ready
  const losses = statuses.filter((status) => status === 'down').length
  client.publish(SUBJECT, '{"data":{"n":1}}')
  await eventually(() => heard).toEqual([{ n: 1 }])
  hub.stream('positions').publish({ n: 2 })
  await hub.flush()
  expect(hub.ledger()).toMatchObject({ accepted: 1, confirmed: 1 })
  expect(statuses.filter((status) => status === 'down')).toHaveLength(losses)
  // The others were pending at the losses too, and none of them counts as refused.
  expect(errors).not.toContainEqual(expect.objectContaining({ stream: 'positions' }))
})

test('counts a denied publish as unconfirmed, and reports it on its stream', async () => {
  const broker = await server({ config: permitted(`publish: { deny: "${SUBJECT}" }`) })
  const { hub, stream, errors } = await openHub(broker, { user: 'ann', password: 'right' })
  const allowed = hub.stream('allowed')
  stream.publish({ n: 1 })
  allowed.publish({ n: 1 })
  await hub.flush()
  expect(errors).toHaveLength(1)
  expect(RivuletError.is(errors[0])).toBe(true)
  expect(allowed.ledger()).toMatchObject({ accepted: 1, confirmed: 1 })
  expect(errors[0]).toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'fleet', stream: 'positions' })
  expect(errors[0]).toMatchObject({ cause: { name: 'PermissionViolationError' } })
  expect(stream.ledger()).toMatchObject({ accepted: 1, confirmed: 0, unconfirmed: 1 })
})
