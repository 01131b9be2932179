import { memoryBus, transportFromUrls } from '@rivulet/memory'
import type { RivuletError, Transport } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

const TOLD = Symbol.for('rivulet.alone')
const ownSend = Object.getOwnPropertyDescriptor(process, 'send')

/** Makes this process look forked, or not. */
function fork(isForked: boolean): void {
  Object.defineProperty(process, 'send', { value: isForked ? () => {} : undefined, configurable: true })
}

beforeEach(() => {
  fork(true)
  Reflect.deleteProperty(globalThis, TOLD)
})
afterEach(() => {
  Reflect.deleteProperty(process, 'send')
  if (ownSend !== undefined) Object.defineProperty(process, 'send', ownSend)
  Reflect.deleteProperty(globalThis, TOLD)
})

const memory = (query = '') => transportFromUrls([`memory:alone${query}`])

/** Opens a hub for each transport, lets time pass, and gives the codes of the errors that they told. */
async function errorsOf(transports: readonly Transport[], passMs = 1_000): Promise<RivuletError[]> {
  const environment = new HandMadeEnvironment()
  const errors: RivuletError[] = []
  const hubs = transports.map((transport) => createHubIn(environment, { transport }))
  for (const hub of hubs) hub.on('error', (error) => errors.push(error))
  await environment.pass(passMs)
  await Promise.all([...hubs.map((hub) => hub.close()), environment.pass(10_000)])
  expect(environment.timers).toBe(0)
  return errors
}

describe('a hub that is alone in a forked process', () => {
  test('tells that, once a process', async () => {
    const [error, ...more] = await errorsOf([memory()])
    expect(error).toMatchObject({ code: 'ALONE_IN_PROCESS', hub: 'default' })
    expect([more, await errorsOf([memory()])]).toEqual([[], []])
  })

  test('reports it on the console without a listener', async () => {
    const line = vi.spyOn(console, 'error').mockImplementation(() => {})
    const environment = new HandMadeEnvironment()
    const hub = createHubIn(environment, { transport: memory() })
    await environment.pass(1_000)
    expect(line.mock.calls).toMatchObject([
      [expect.stringContaining('rivulet'), { code: 'ALONE_IN_PROCESS' }],
    ])
    line.mockRestore()
    await Promise.all([hub.close(), environment.pass(10_000)])
  })

  test('counts nothing as unconfirmed for that', async () => {
    const environment = new HandMadeEnvironment()
    const hub = createHubIn(environment, { transport: memory() })
    hub.on('error', () => hub.stream('s').publish({}))
    await environment.pass(1_000)
    hub.stream('s').publish({})
    await Promise.all([hub.flush(), environment.pass(1_000)])
    expect(hub.ledger()).toMatchObject({ accepted: 2, confirmed: 2, unconfirmed: 0 })
    await Promise.all([hub.close(), environment.pass(10_000)])
  })

  test('tells nothing before a second has passed, and nothing once it is closed', async () => {
    expect(await errorsOf([memory()], 999)).toEqual([])
  })

  test('leaves no timer when it is closed before', async () => {
    const environment = new HandMadeEnvironment()
    const hub = createHubIn(environment, { transport: memory() })
    await environment.pass(500)
    expect(environment.timers).toBe(1)
    await hub.close()
    expect(environment.timers).toBe(0)
  })

  test('tells nothing when the URL says that it is meant so', async () => {
    expect(await errorsOf([memory('?alone=true')])).toEqual([])
  })
})

describe('nothing is told of a hub', () => {
  test('that has another one on its bus', async () => {
    expect(await errorsOf([memory(), memory()])).toEqual([])
  })

  test('in a process that was not forked', async () => {
    fork(false)
    expect(await errorsOf([memory()])).toEqual([])
  })

  test('on a transport that reaches other processes, or on a bus of a test', async () => {
    expect(await errorsOf([new ScriptedTransport(), memoryBus().transport()])).toEqual([])
  })
})
