import { getEventListeners } from 'node:events'
import type { Topic, TransportHost } from 'rivulet'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { OUTSIDE, Requests } from '../../../../../test/support/requests.ts'
import { ScriptedTransport } from '../../../../../test/support/scripted-transport.ts'
import { Barriers } from '../../../src/pages/relay/barriers.ts'
import type { RelayGuest } from '../../../src/pages/relay/guest.ts'
import { relay } from '../../../src/relay.ts'
import { frameOf, prefix, topicOf } from '../../support/frames.ts'
import { until } from '../../support/hand-pages.ts'
import { HUB } from '../../support/scene.ts'

const TOPIC = topicOf('positions') as Topic
const OTHER = topicOf('orders') as Topic
const NEVER = new AbortController().signal
const [OWN, PAGES, FOREIGN] = [prefix('a'), prefix('b'), prefix('c')]
const tick = () => new Promise<void>((resolve) => setImmediate(resolve))
const textOf = (frame: Uint8Array | string) =>
  typeof frame === 'string' ? frame : new TextDecoder().decode(frame)

function recorder() {
  return {
    hub: HUB,
    receive: vi.fn(),
    watched: vi.fn(),
    down: vi.fn(),
    error: vi.fn(),
    left: vi.fn(),
  } satisfies TransportHost
}

/** What barriers need of a transport that holds nothing. */
function upstreamOf(flush: () => Promise<void>) {
  return { flush, bufferedBytes: () => 0, dead() {}, progress() {} }
}

function guest() {
  return {
    opened: vi.fn(),
    ended: vi.fn(),
    failed: vi.fn(),
    joined: vi.fn(),
    refused: vi.fn(),
    left: vi.fn(),
    receive: vi.fn(),
  } satisfies RelayGuest
}

/** A relay over a transport that a test plays, with a group of pages. */
function overScripted() {
  const upstream = new ScriptedTransport()
  const made = relay(upstream)
  const pages = guest()
  return { upstream, made, pages, port: made.attach(pages), host: recorder() }
}

/** The same, and it is open. */
async function opened() {
  const scene = overScripted()
  await scene.made.open(scene.host, NEVER)
  return scene
}

// Time passes by hand.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  return () => void vi.useRealTimers()
})

test('asks upstream for pages outside of the requests that their sockets came with', async () => {
  const { upstream, port } = await opened()
  const requests = new Requests()
  for (const verb of ['join', 'leave', 'send', 'flush'] as const) {
    const original = upstream[verb].bind(upstream) as (...args: unknown[]) => never
    upstream[verb] = (...args: unknown[]) => {
      requests.note(verb)
      return original(...args)
    }
  }
  await requests.run('request', async () => {
    port.join(TOPIC)
    await tick()
    port.send(TOPIC, new Uint8Array(1), {})
    await new Promise<void>((resolve) => port.barrier(resolve))
    port.leave(TOPIC)
    vi.advanceTimersByTime(120_000)
  })
  expect(requests.seen).toEqual({ join: [OUTSIDE], send: [OUTSIDE], flush: [OUTSIDE], leave: [OUTSIDE] })
})

describe('a relay that is not open', () => {
  test('sends nothing, and refuses the rest', async () => {
    const { upstream, made, port } = overScripted()
    const isNotOpen = async () => {
      expect(made.send(TOPIC, 'x')).toBe('offline')
      expect(port.send(TOPIC, new Uint8Array(1), {})).toBe('offline')
      expect(port.isOpen).toBe(false)
      await expect(made.join(TOPIC, NEVER)).rejects.toMatchObject({
        message: expect.stringContaining('not connected'),
      })
      await expect(made.watch(HUB, NEVER)).rejects.toMatchObject({
        message: expect.stringContaining('not connected'),
      })
      await expect(made.flush(NEVER)).rejects.toMatchObject({
        message: expect.stringContaining('not connected'),
      })
    }
    await isNotOpen()
    await made.open(recorder(), NEVER)
    expect(port.isOpen).toBe(true)
    await made.close(NEVER)
    await isNotOpen()
    expect(upstream.log).toEqual(['open', 'close'])
  })

  test('without anything upstream is given up in the moment of its opening', async () => {
    const made = relay()
    const giveUp = new AbortController()
    const opening = made.open(recorder(), giveUp.signal)
    giveUp.abort(new Error('out of time'))
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
    expect(made.send(TOPIC, 'x')).toBe('offline')
  })

  test('is open without anything upstream, and hands over what it is given', async () => {
    const made = relay()
    const [host, pages] = [recorder(), guest()]
    const port = made.attach(pages)
    await made.open(host, NEVER)
    port.join(TOPIC)
    await made.join(TOPIC, NEVER)
    expect(made.send(TOPIC, frameOf(OWN))).toBe('sent')
    expect(port.send(TOPIC, new TextEncoder().encode(frameOf(PAGES)), {})).toBe('sent')
    await made.flush(NEVER)
    expect([pages.receive.mock.calls.length, host.receive.mock.calls.length]).toEqual([2, 1])
  })

  test('closes upstream that was opened too late', async () => {
    const { upstream, made, pages, host } = overScripted()
    upstream.answers.open = 'hang'
    const giveUp = new AbortController()
    const opening = made.open(host, giveUp.signal)
    giveUp.abort(new Error('out of time'))
    upstream.opens[0]?.resolve()
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
    expect(upstream.closes.map(({ signal }) => signal.aborted)).toEqual([true])
    expect(pages.opened).not.toHaveBeenCalled()
    expect(made.send(TOPIC, 'x')).toBe('offline')
  })

  test('fails to open when upstream ends, and reports nothing', async () => {
    const { upstream, made, pages, host } = overScripted()
    upstream.answers.open = 'hang'
    const opening = made.open(host, NEVER)
    upstream.host.down(new Error('gone at once'))
    upstream.opens[0]?.resolve()
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('gone at once') })
    expect(upstream.closes.map(({ signal }) => signal.aborted)).toEqual([true])
    for (const call of [host.down, pages.opened, pages.ended]) expect(call).not.toHaveBeenCalled()
  })

  test('has told its end once, and takes nothing of upstream any more', async () => {
    const { upstream, made, pages, port, host } = await opened()
    port.join(TOPIC)
    await made.join(TOPIC, NEVER)
    const { host: late } = upstream
    late.down(new Error('gone'))
    late.down(new Error('gone'))
    expect(host.down.mock.calls).toEqual([[new Error('gone')]])
    expect(pages.ended.mock.calls).toEqual([['away']])
    late.receive(TOPIC, frameOf(FOREIGN))
    late.watched(TOPIC, frameOf(FOREIGN))
    late.error(TOPIC, new Error('late'))
    late.left(TOPIC, new Error('late'))
    late.left(undefined, new Error('late'))
    const told = [host.receive, host.watched, host.error, host.left, pages.receive, pages.failed, pages.left]
    for (const call of told) expect(call).not.toHaveBeenCalled()
  })
})

describe('what upstream tells', () => {
  test('of a topic is told to the hub and the pages, of none to the hub alone', async () => {
    const { upstream, pages, host } = await opened()
    upstream.host.error(undefined, new Error('broken'))
    expect(pages.failed).not.toHaveBeenCalled()
    upstream.host.error(TOPIC, new Error('refused'))
    expect(pages.failed.mock.calls).toEqual([[TOPIC]])
    expect(host.error.mock.calls).toEqual([
      [undefined, new Error('broken')],
      [TOPIC, new Error('refused')],
    ])
  })

  test('of a frame that it did not take is reported to the page alone', async () => {
    const { upstream, made, pages, port, host } = await opened()
    port.join(TOPIC)
    await made.join(TOPIC, NEVER)
    upstream.sending = 'offline'
    expect(port.send(TOPIC, new TextEncoder().encode(frameOf(PAGES)), {})).toBe('offline')
    expect(made.send(TOPIC, frameOf(OWN))).toBe('offline')
    for (const call of [pages.receive, host.receive]) expect(call).not.toHaveBeenCalled()
  })

  test('of a topic without pages is not reported', async () => {
    const { upstream, pages, host } = await opened()
    upstream.host.left(TOPIC, new Error('kicked'))
    upstream.host.receive(TOPIC, frameOf(FOREIGN))
    for (const call of [pages.left, pages.receive, host.left, host.receive])
      expect(call).not.toHaveBeenCalled()
  })

  test('of the end of a join is told to all who had it; asked again, it waits', async () => {
    const { upstream, made, pages, port, host } = await opened()
    port.join(TOPIC)
    await made.join(TOPIC, NEVER)
    expect(pages.joined.mock.calls).toEqual([[TOPIC]])
    expect(upstream.joins.length).toBe(1)
    upstream.host.left(TOPIC, new Error('kicked'))
    expect(pages.left.mock.calls).toEqual([[TOPIC, new Error('kicked')]])
    expect(host.left.mock.calls).toEqual([[TOPIC, new Error('kicked')]])
    upstream.host.receive(TOPIC, frameOf(FOREIGN))
    expect([pages.receive.mock.calls, host.receive.mock.calls]).toEqual([[], []])
  })

  test('is told to no group that has been taken out', async () => {
    const { upstream, made, pages, port } = await opened()
    port.detach()
    upstream.host.error(TOPIC, new Error('refused'))
    await made.close(NEVER)
    await made.open(recorder(), NEVER)
    for (const call of [pages.failed, pages.ended]) expect(call).not.toHaveBeenCalled()
    expect(pages.opened, 'before').toHaveBeenCalledTimes(1)
  })

  test('as its host throws is told to that, as an error', async () => {
    const { upstream, made, host } = await opened()
    await made.join(TOPIC, NEVER)
    for (const thrown of [new Error('broken'), 'a text']) {
      host.receive.mockImplementationOnce(() => {
        throw thrown
      })
      upstream.host.receive(TOPIC, frameOf(FOREIGN))
    }
    expect(host.error.mock.calls).toEqual([
      [TOPIC, new Error('broken')],
      [TOPIC, new Error('a text')],
    ])
  })

  test('it claims itself', async () => {
    const { upstream, made } = await opened()
    expect(made.capabilities).toMatchObject({ scope: 'network', echoes: false, ordered: true, watch: true })
    expect(made.capabilities.prefixes).toBeUndefined()
    upstream.capabilities = { ...upstream.capabilities, ordered: false, watch: false, prefixes: [OWN] }
    expect(made.capabilities).toMatchObject({ ordered: false, watch: false, prefixes: [OWN] })
    const alone = relay().capabilities
    expect(alone).toMatchObject({ scope: 'network', echoes: false, ordered: true, watch: true })
    expect(alone.maxFrameBytes(TOPIC)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('echoes', () => {
  /** A relay over a transport that echoes, with a topic that hub and pages have joined. */
  async function echoing() {
    const scene = await opened()
    scene.upstream.capabilities = { ...scene.upstream.capabilities, echoes: true }
    scene.port.join(TOPIC)
    await scene.made.join(TOPIC, NEVER)
    return scene
  }

  test("of the hub's frames go to the hub alone, of pages' nowhere, of others to all", async () => {
    const { upstream, made, pages, port, host } = await echoing()
    port.hold([PAGES], () => {})
    made.send(TOPIC, frameOf(OWN))
    expect(pages.receive).toHaveBeenCalledTimes(1)
    const page = {}
    port.send(TOPIC, new TextEncoder().encode(frameOf(PAGES)), page)
    expect(pages.receive.mock.calls.at(-1)?.[2]).toBe(page)
    expect(host.receive).toHaveBeenCalledTimes(1)
    for (const call of [pages.receive, host.receive]) call.mockClear()
    const frames = [frameOf(OWN), frameOf(PAGES), frameOf(FOREIGN), '{"data":{"by":"hand"}}']
    for (const frame of frames) upstream.host.receive(TOPIC, frame)
    const [own, , foreign, byHand] = frames
    expect(pages.receive.mock.calls.map(([, frame]) => textOf(frame))).toEqual([foreign, byHand])
    expect(host.receive.mock.calls.map(([, frame]) => textOf(frame))).toEqual([own, foreign, byHand])
  })

  test('of a page that has gone count as others once no connection has its prefixes', async () => {
    const { upstream, pages, port } = await echoing()
    const [first, second] = [vi.fn(), vi.fn()]
    port.hold([PAGES, FOREIGN], first)
    port.hold([PAGES], second)
    expect([first, second].map(({ mock }) => mock.calls.length)).toEqual([1, 0])
    port.release([PAGES, FOREIGN], first)
    upstream.host.receive(TOPIC, frameOf(PAGES))
    expect(pages.receive).not.toHaveBeenCalled()
    upstream.host.receive(TOPIC, frameOf(FOREIGN))
    expect(pages.receive).toHaveBeenCalledTimes(1)
    port.release([PAGES], second)
    upstream.host.receive(TOPIC, frameOf(PAGES))
    expect(pages.receive).toHaveBeenCalledTimes(2)
  })
})

describe('joins of the hub', () => {
  test('are given up by signal, leave or end of the connection; no listener stays', async () => {
    const { upstream, made } = await opened()
    upstream.answers.join = 'hang'
    const giveUp = new AbortController()
    const givenUp = made.join(TOPIC, giveUp.signal)
    giveUp.abort(new Error('out of time'))
    await expect(givenUp).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
    const left = made.join(TOPIC, NEVER)
    made.leave(TOPIC)
    await expect(left).rejects.toMatchObject({
      message: expect.stringContaining('left before the join was confirmed'),
    })
    const pending = made.join(TOPIC, NEVER)
    upstream.host.down(new Error('gone'))
    await expect(pending).rejects.toMatchObject({ message: expect.stringContaining('gone') })
    await made.open(recorder(), NEVER)
    const closed = made.join(OTHER, NEVER)
    const isClosed = made.close(NEVER)
    await expect(closed).rejects.toMatchObject({ message: expect.stringContaining('the relay was closed') })
    await isClosed
    const { signal } = new AbortController()
    upstream.answers.join = 'resolve'
    await made.open(recorder(), NEVER)
    await made.join(TOPIC, signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    made.leave(TOPIC)
    made.leave(TOPIC)
  })

  test('that a page shares stay for it, and the other way round', async () => {
    const { upstream, made, port } = await opened()
    port.join(TOPIC)
    await made.join(TOPIC, NEVER)
    made.leave(TOPIC)
    await tick()
    expect(upstream.left).toEqual([])
    await made.join(TOPIC, NEVER)
    port.leave(TOPIC)
    await tick()
    expect(upstream.left).toEqual([])
    made.leave(TOPIC)
    await tick()
    expect(upstream.left).toEqual([TOPIC])
    expect(upstream.joins.length).toBe(1)
  })
})

describe('joins of pages', () => {
  test('are retried a second after a refusal, then two, and at once after a success', async () => {
    const { upstream, pages, port } = await opened()
    upstream.answers.join = new Error('no permission')
    const ask = async () => {
      const [before, refusals] = [upstream.joins.length, pages.refused.mock.calls.length]
      port.join(TOPIC)
      await tick()
      expect(pages.refused.mock.calls.length).toBe(refusals + 1)
      return upstream.joins.length > before
    }
    const asked: boolean[] = [await ask(), await ask()]
    for (const waitMs of [999, 1, 1_999, 1, 3_999, 1]) {
      vi.advanceTimersByTime(waitMs)
      asked.push(await ask())
    }
    expect(asked).toEqual([true, false, false, true, false, true, false, true])
    vi.advanceTimersByTime(60_000)
    upstream.answers.join = 'resolve'
    port.join(TOPIC)
    await tick()
    expect(pages.joined.mock.calls).toEqual([[TOPIC]])
    port.leave(TOPIC)
    await tick()
    upstream.answers.join = new Error('no permission')
    const again: boolean[] = [await ask()]
    for (const waitMs of [999, 1]) {
      vi.advanceTimersByTime(waitMs)
      again.push(await ask())
    }
    expect(again).toEqual([true, false, true])
  })

  test('that are left go on for others that wait, without the group that left', async () => {
    const { upstream, made, pages, port } = await opened()
    upstream.answers.join = 'hang'
    const [second, third] = [guest(), guest()]
    const [secondPort, thirdPort] = [made.attach(second), made.attach(third)]
    for (const each of [port, secondPort, thirdPort]) each.join(TOPIC)
    await tick()
    port.leave(TOPIC)
    second.joined.mockImplementation(() => thirdPort.leave(TOPIC))
    await tick()
    expect(upstream.left).toEqual([])
    upstream.joins[0]?.resolve()
    await tick()
    expect([pages, second, third].map(({ joined }) => joined.mock.calls.length)).toEqual([0, 1, 0])
    upstream.host.receive(TOPIC, frameOf(FOREIGN))
    expect([pages, second, third].map(({ receive }) => receive.mock.calls.length)).toEqual([0, 1, 0])
  })

  test('that were refused are not retried while no page wants them', async () => {
    const { upstream, port, pages } = await opened()
    upstream.answers.join = new Error('no permission')
    port.join(TOPIC)
    await tick()
    expect(pages.refused).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(upstream.joins.length).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('of an outage are made again, and left after a minute without their pages', async () => {
    const { upstream, made, pages, port } = await opened()
    for (const topic of [TOPIC, OTHER]) port.join(topic)
    await tick()
    upstream.host.down(new Error('gone'))
    await made.close(AbortSignal.abort())
    expect(vi.getTimerCount(), 'nothing is looked for while upstream is away').toBe(0)
    vi.advanceTimersByTime(30_000)
    await made.open(recorder(), NEVER)
    await tick()
    expect(upstream.joins.length).toBe(4)
    port.join(TOPIC)
    expect(pages.joined.mock.calls.at(-1)).toEqual([TOPIC])
    expect(upstream.joins.length).toBe(4)
    expect(upstream.left).toEqual([])
    await vi.advanceTimersByTimeAsync(59_999)
    expect(upstream.left).toEqual([])
    await vi.advanceTimersByTimeAsync(60_001)
    expect(upstream.left).toEqual([OTHER])
    expect(vi.getTimerCount(), 'nothing is left to look for').toBe(0)
  })

  test('of an outage are left a minute after it, however late upstream answers', async () => {
    const { upstream, made, port } = await opened()
    for (const topic of [TOPIC, OTHER]) port.join(topic)
    await tick()
    upstream.host.down(new Error('gone'))
    await made.close(AbortSignal.abort())
    upstream.answers.join = 'hang'
    vi.advanceTimersByTime(59_000)
    await made.open(recorder(), NEVER)
    await tick()
    const [first, second] = upstream.joins.slice(2)
    first?.resolve()
    await tick()
    vi.advanceTimersByTime(1_000)
    second?.resolve()
    await tick()
    expect(upstream.left).toEqual([TOPIC, OTHER])
  })

  test('are not to blame for losses with a failed opening between them', async () => {
    const { upstream, made, pages, port } = await opened()
    upstream.answers.join = 'hang'
    port.join(TOPIC)
    for (let n = 0; n < 5; n++) {
      await tick()
      upstream.host.down(new Error('gone'))
      await made.close(AbortSignal.abort())
      upstream.answers.open = new Error('away')
      await expect(made.open(recorder(), NEVER)).rejects.toMatchObject({ message: 'away' })
      upstream.answers.open = 'resolve'
      await made.open(recorder(), NEVER)
      port.join(TOPIC)
    }
    expect(pages.refused).not.toHaveBeenCalled()
  })

  test.each([
    ['a close on purpose', false],
    ['an outage and a close on purpose', true],
  ])('are not made again after %s', async (_, isOutage) => {
    const { upstream, made, port } = await opened()
    port.join(TOPIC)
    await tick()
    if (isOutage) upstream.host.down(new Error('gone'))
    await made.close(NEVER)
    await made.open(recorder(), NEVER)
    await tick()
    expect(upstream.joins.length).toBe(1)
  })

  test('of an outage are kept for so many topics, the latest', async () => {
    const { upstream, made, port } = await opened()
    const topics = Array.from({ length: 4_097 }, (_, n) => topicOf(`s${n}`) as Topic)
    for (const topic of topics) port.join(topic)
    await until(() => upstream.joins.length === 4_097)
    upstream.host.down(new Error('gone'))
    await made.close(AbortSignal.abort())
    await made.open(recorder(), NEVER)
    await until(() => upstream.joins.length === 4_097 + 4_096)
    await tick()
    expect(upstream.joins.slice(4_097).map(({ topic }) => topic)).toEqual(topics.slice(1))
  })
})

describe('barriers', () => {
  test('without anything upstream are answered at once', async () => {
    const made = relay()
    await made.open(recorder(), NEVER)
    const answer = vi.fn()
    made.attach(guest()).barrier(answer)
    expect(answer).toHaveBeenCalledTimes(1)
  })

  test('of a connection that is gone are never answered, and its flushes are told so', async () => {
    const { upstream, port } = await opened()
    upstream.answers.flush = 'hang'
    const answer = vi.fn()
    port.barrier(answer)
    await tick()
    port.barrier(answer)
    upstream.host.down(new Error('gone'))
    await tick()
    expect(upstream.flushes.map(({ signal }) => signal.reason)).toEqual([
      new Error('the connection upstream is gone'),
    ])
    upstream.flushes[0]?.resolve()
    await tick()
    expect(answer).not.toHaveBeenCalled()
  })

  test('that upstream does not answer in two seconds are given up', async () => {
    const { upstream, port } = await opened()
    upstream.answers.flush = 'hang'
    const answer = vi.fn()
    port.barrier(answer)
    await tick()
    vi.advanceTimersByTime(1_999)
    expect(upstream.flushes[0]?.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(upstream.flushes[0]?.signal.reason).toEqual(new Error('the barrier was not answered in time'))
    upstream.flushes[0]?.resolve()
    await tick()
    expect(answer).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that upstream leaves unanswered twice in a row end the connection', async () => {
    const { upstream, port, host, pages } = await opened()
    upstream.answers.flush = 'hang'
    const pass = async () => {
      vi.advanceTimersByTime(2_000)
      for (const { signal, reject } of upstream.flushes) if (signal.aborted) reject(signal.reason)
      await tick()
    }
    for (let nth = 0; nth < 3; nth++) {
      port.barrier(() => {})
      await tick()
    }
    await pass()
    expect([upstream.flushes.length, host.down.mock.calls.length]).toEqual([3, 0])
    port.barrier(() => {})
    await tick()
    upstream.flushes[3]?.resolve()
    await tick()
    for (const downs of [0, 1]) {
      port.barrier(() => {})
      await tick()
      await pass()
      expect(host.down).toHaveBeenCalledTimes(downs)
    }
    expect(host.down).toHaveBeenCalledWith(new Error('the barrier was not answered in time'))
    expect(pages.ended.mock.calls).toEqual([['away']])
  })

  test('that are asked a moment before the last one is over count as the next in a row', async () => {
    const { upstream, port, host } = await opened()
    upstream.answers.flush = 'hang'
    port.barrier(() => {})
    await tick()
    vi.advanceTimersByTime(1_990)
    port.barrier(() => {})
    await tick()
    vi.advanceTimersByTime(2_000)
    expect(host.down).not.toHaveBeenCalled()
    vi.advanceTimersByTime(10)
    expect(host.down).toHaveBeenCalledTimes(1)
  })

  test('that are asked in the moment after an end are answered', async () => {
    const barriers = new Barriers(upstreamOf(async () => {}))
    const [before, after] = [vi.fn(), vi.fn()]
    barriers.ask(before)
    barriers.stop()
    barriers.ask(after)
    await tick()
    expect([before.mock.calls.length, after.mock.calls.length]).toEqual([0, 1])
  })

  test('flush upstream no more often than needed when two of three end at once', async () => {
    const ends: (() => void)[] = []
    const barriers = new Barriers(upstreamOf(() => new Promise<void>((resolve) => ends.push(resolve))))
    const answers = Array.from({ length: 5 }, () => vi.fn())
    for (const answer of answers) {
      barriers.ask(answer)
      await tick()
    }
    expect(ends.length).toBe(3)
    for (const end of ends.slice(0, 2)) end()
    await tick()
    expect(ends.length).toBe(4)
    for (const end of ends) end()
    await tick()
    expect(answers.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1, 1, 1])
    expect(ends.length).toBe(4)
  })
})

describe('barriers on a slow link upstream', () => {
  const CHUNK = new Uint8Array(32 * 1024)
  /** Waits so long in small steps, between which promises settle. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      vi.advanceTimersByTime(250)
      await tick()
    }
  }

  /** A relay on which so many chunks of a page wait, and which a page has asked behind them. */
  async function behind(chunks: number) {
    const scene = await opened()
    scene.upstream.answers.flush = 'hang'
    for (let nth = 0; nth < chunks; nth++) scene.port.send(TOPIC, CHUNK, {})
    const [answer, waits] = [vi.fn(), vi.fn()]
    scene.port.barrier(answer, waits)
    await tick()
    return { ...scene, answer, waits }
  }

  test('stand behind each chunk, asked for or not, and answer what was asked before', async () => {
    const { upstream, port, answer } = await behind(5)
    expect(upstream.flushes.length).toBe(5)
    const later = vi.fn()
    port.barrier(later)
    port.send(TOPIC, CHUNK, {})
    expect(upstream.flushes.length).toBe(6)
    upstream.flushes[5]?.resolve()
    await tick()
    expect([answer.mock.calls.length, later.mock.calls.length]).toEqual([1, 1])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('have time while those before them are answered, and their pages are told once', async () => {
    const { upstream, port, host, answer, waits } = await behind(5)
    const progress = vi.fn()
    Object.assign(host, { progress })
    port.barrier(() => {}, waits)
    for (const flush of upstream.flushes.slice(0, 4)) {
      await pass(1_750)
      flush.resolve()
      await tick()
    }
    await pass(1_750)
    expect(host.down).not.toHaveBeenCalled()
    expect(waits).toHaveBeenCalledTimes(4)
    expect(progress.mock.calls).toEqual(waits.mock.calls)
    expect(upstream.flushes.some(({ signal }) => signal.aborted)).toBe(false)
    expect(answer).not.toHaveBeenCalled()
    upstream.flushes[5]?.resolve()
    await tick()
    expect(answer).toHaveBeenCalledTimes(1)
  })

  test('have time while bytes drain, and not while what is sent leaves at once', async () => {
    const { upstream, port, host, waits } = await behind(1)
    let held = 100_000
    Object.assign(upstream, { bufferedBytes: () => held })
    for (let second = 0; second < 10; second++) {
      await pass(1_000)
      held -= 5_000
    }
    expect(host.down).not.toHaveBeenCalled()
    expect(waits.mock.calls.length).toBeGreaterThan(5)
    held = 0
    await pass(1_000)
    for (let second = 0; second < 5; second++) {
      port.send(TOPIC, new Uint8Array(100), {})
      await pass(1_000)
    }
    expect(host.down).toHaveBeenCalledTimes(1)
  })

  test('have time while upstream itself says that it goes on, which the hub is told', async () => {
    const { upstream, host, waits } = await behind(1)
    const progress = vi.fn()
    Object.assign(host, { progress })
    for (let second = 0; second < 10; second++) {
      upstream.host.progress?.(true)
      await pass(1_000)
    }
    expect(host.down).not.toHaveBeenCalled()
    expect(new Set(waits.mock.calls.flat())).toEqual(new Set([true]))
    expect(progress).toHaveBeenLastCalledWith(true)
  })

  test('have their time once more when the process stood still', async () => {
    const { upstream, host } = await behind(1)
    const standStill = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 30_000)
    vi.advanceTimersToNextTimer()
    standStill.mockRestore()
    await pass(1_750)
    expect(upstream.flushes[0]?.signal.aborted).toBe(false)
    expect(host.down).not.toHaveBeenCalled()
  })

  test('tell pages to wait while more is on its way than a slow link soon carries', async () => {
    const { upstream, waits } = await behind(20)
    const answered = async (nth: number) => {
      await pass(500)
      upstream.flushes[nth]?.resolve()
      await tick()
    }
    for (let nth = 0; nth < 5; nth++) await answered(nth)
    await pass(500)
    expect(waits.mock.calls.at(-1)).toEqual([true])
    for (let nth = 5; nth < 18; nth++) await answered(nth)
    await pass(500)
    expect(waits.mock.calls.at(-1)).toEqual([false])
  })

  test('bound what waits upstream: a frame of a page that is over 8 MiB is refused', async () => {
    const { upstream, port, pages } = await behind(256)
    port.join(TOPIC)
    await tick()
    expect(port.send(TOPIC, CHUNK, {})).toBe('congested')
    expect([upstream.sent.length, pages.receive.mock.calls.length]).toEqual([256, 0])
    upstream.flushes[0]?.resolve()
    await tick()
    expect(port.send(TOPIC, CHUNK, {})).toBe('sent')
  })
})
