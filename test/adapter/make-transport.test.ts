import { makeTransport, type TransportConnection } from 'rivulet/adapter'
import { describe, expect, test, vi } from 'vitest'
import { type Deferred, deferred } from '../../src/base/deferred.ts'
import type { TransportHost } from '../../src/connection/transport.ts'
import { topicOf } from '../../src/message/topic.ts'

const A = topicOf('hub', 'a')
const NEVER = new AbortController().signal
const HOST: TransportHost = { hub: 'hub', receive() {}, watched() {}, down() {}, error() {}, left() {} }

interface Dial {
  readonly host: TransportHost
  readonly signal: AbortSignal
  readonly last: ReturnType<typeof connection> | undefined
  readonly answer: Deferred<ReturnType<typeof connection>>
}

function connection(maxFrameBytes = 10) {
  return {
    maxFrameBytes,
    send: vi.fn<TransportConnection['send']>(() => 'sent'),
    join: vi.fn(async () => {}),
    leave: vi.fn(),
    watch: vi.fn(async () => {}),
    flush: vi.fn(async () => {}),
    close: vi.fn(async () => {}),
  }
}

/** A transport whose attempts to connect are answered by hand, or by the signal. */
function scene() {
  const dials: Dial[] = []
  const transport = makeTransport<ReturnType<typeof connection>>({
    name: 'scene',
    capabilities: (last) => ({
      ...({ scope: 'process', echoes: false, ordered: true, watch: false } as const),
      maxFrameBytes: () => last?.maxFrameBytes ?? 0,
    }),
    connect(host, signal, last) {
      const answer = deferred<ReturnType<typeof connection>>()
      dials.push({ host, signal, last, answer })
      return answer.promise
    },
  })
  const open = async (next: ReturnType<typeof connection>) => {
    const opening = transport.open(HOST, NEVER)
    dials.at(-1)?.answer.resolve(next)
    await opening
  }
  return { transport, dials, open }
}

describe('a transport of an adapter', () => {
  test('sends and joins nothing before it is open', async () => {
    const { transport } = scene()
    expect(transport.send(A, 'x')).toBe('offline')
    transport.leave(A)
    const refusal = {
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'The transport has no connection; open it first.',
    }
    await expect(transport.join(A, NEVER)).rejects.toMatchObject(refusal)
    await expect(transport.watch('hub', NEVER)).rejects.toMatchObject(refusal)
    await expect(transport.flush(NEVER)).rejects.toMatchObject(refusal)
    await transport.close(NEVER)
  })

  test('hands everything to the connection that was opened last', async () => {
    const { transport, dials, open } = scene()
    const [first, second] = [connection(10), connection(20)]
    expect(transport.capabilities.maxFrameBytes(A)).toBe(0)
    await open(first)
    expect(transport.capabilities.maxFrameBytes(A)).toBe(10)
    await open(second)
    expect(transport.capabilities.maxFrameBytes(A)).toBe(20)
    expect(dials).toMatchObject([
      { host: HOST, last: undefined },
      { host: HOST, last: first },
    ])
    expect(transport.send(A, 'x')).toBe('sent')
    await transport.join(A, NEVER)
    transport.leave(A)
    await transport.watch('hub', NEVER)
    await transport.flush(NEVER)
    await transport.close(NEVER)
    const calls = ({ send, join, leave, watch, flush, close }: typeof first) =>
      [send, join, leave, watch, flush, close].map(({ mock }) => mock.calls)
    expect(calls(second)).toEqual([[[A, 'x']], [[A, NEVER]], [[A]], [['hub', NEVER]], [[NEVER]], [[NEVER]]])
    expect(calls(first)).toEqual([[], [], [], [], [], []])
  })

  test('keeps the connection of before while another attempt fails', async () => {
    const { transport, dials, open } = scene()
    await open(connection())
    const opening = transport.open(HOST, NEVER)
    dials[1]?.answer.reject(new Error('refused'))
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('refused') })
    expect(transport.send(A, 'x')).toBe('sent')
  })

  test('does not connect with a signal that is aborted already', async () => {
    const { transport, dials } = scene()
    await expect(transport.open(HOST, AbortSignal.abort('early'))).rejects.toBe('early')
    expect(dials).toEqual([])
  })

  test('gives up connecting when its signal aborts', async () => {
    const { transport, dials } = scene()
    const control = new AbortController()
    const opening = transport.open(HOST, control.signal)
    control.abort('enough')
    expect(dials[0]?.signal).toMatchObject({ aborted: true, reason: 'enough' })
    dials[0]?.answer.reject(dials[0].signal.reason)
    await expect(opening).rejects.toBe('enough')
  })

  test('gives up connecting when it is closed, which waits for that', async () => {
    const { transport, dials } = scene()
    const opening = transport.open(HOST, NEVER)
    let isClosed = false
    const closing = transport.close(NEVER).then(() => {
      isClosed = true
    })
    await new Promise(setImmediate)
    expect([dials[0]?.signal.aborted, isClosed]).toEqual([true, false])
    dials[0]?.answer.reject(dials[0].signal.reason)
    await expect(opening).rejects.toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'The transport was closed while it connected.',
    })
    await closing
  })

  test('ends a connection that opens as it is closed, before close resolves', async () => {
    const { transport, dials } = scene()
    const late = connection()
    const opening = transport.open(HOST, NEVER)
    dials[0]?.answer.resolve(late)
    const closing = transport.close(NEVER)
    await expect(opening).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
    await closing
    expect(late.close.mock.calls).toMatchObject([[{ aborted: true }]])
    expect(transport.send(A, 'x')).toBe('offline')
    expect(late.send).not.toHaveBeenCalled()
  })

  test('leaves no listener on the signal of an open', async () => {
    const { transport, dials } = scene()
    const control = new AbortController()
    const opening = transport.open(HOST, control.signal)
    dials[0]?.answer.resolve(connection())
    await opening
    control.abort()
    expect(dials[0]?.signal.aborted).toBe(false)
  })
})
