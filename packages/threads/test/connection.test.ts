import { getEventListeners } from 'node:events'
import { type Channel, threads } from '@rivulet/threads'
import type { Transport } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { endless } from '../../../test/support/adapters/waits.ts'

const TOPIC = topicOf('default', 'a')
const FOREIGN_ID = 'f'.repeat(32)

type Listener = Parameters<Channel['addEventListener']>[1]
type Kind = Parameters<Channel['addEventListener']>[0]

/** Makes channels that record every post, and deliver it to the others, also closed ones, one microtask later. */
function wire() {
  const ends: { readonly emit: (kind: Kind, data?: unknown) => void }[] = []
  const held = { posts: [] as unknown[], isSilent: false, isBroken: false }
  const deliver = (from: object | undefined, post: unknown) => {
    if (held.isBroken) throw new Error('broken')
    held.posts.push(post)
    for (const end of held.isSilent ? [] : ends)
      if (end !== from) queueMicrotask(() => end.emit('message', post))
  }
  const make = (): Channel => {
    const listeners: [Kind, Listener][] = []
    const end = {
      emit: (kind: Kind, data?: unknown) => {
        for (const [of, listener] of listeners) if (of === kind) listener({ data })
      },
    }
    ends.push(end)
    return {
      addEventListener: (kind, listener) => void listeners.push([kind, listener]),
      postMessage: (post) => deliver(end, post),
      close: () => {},
    }
  }
  return { held, ends, make, post: (post: unknown) => deliver(undefined, post) }
}

/** Opens a transport on such channels. */
async function opened(signal: AbortSignal = endless) {
  const channels = wire()
  const transport = threads({ makeChannel: channels.make })
  const host = new RecordingHost()
  await transport.open(host, signal)
  onTestFinished(() => transport.close(AbortSignal.abort()))
  const [test] = channels.held.posts.splice(0) as [{ readonly ask: string }]
  return { ...channels, transport, host, id: test.ask, posts: channels.held.posts }
}

/** More microtasks than any post takes. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await undefined
}

/** Returns the kinds of posts, by their first member. */
function kindsOf(posts: readonly unknown[]): string[] {
  return posts.map((post) => (Array.isArray(post) ? 'frames' : (Object.keys(post as object)[0] as string)))
}

describe('posts', () => {
  test('carry the frames of one turn, at most 64 or 256 KiB', async () => {
    const { transport, posts } = await opened()
    const framesIn = () => posts.splice(0).map((post) => ((post as unknown[]).length - 2) / 2)
    for (let nth = 0; nth < 130; nth += 1) transport.send(TOPIC, `frame ${nth}`)
    expect(framesIn()).toEqual([64, 64])
    await settled()
    expect(framesIn()).toEqual([2])
    for (let nth = 0; nth < 3; nth += 1) transport.send(TOPIC, new Uint8Array(128 * 1024))
    expect(framesIn()).toEqual([2])
    await settled()
    expect(framesIn()).toEqual([1])
  })

  test('carry an array that has its memory for itself as it is', async () => {
    const { transport, posts } = await opened()
    const frame = new Uint8Array(10)
    transport.send(TOPIC, frame)
    await settled()
    expect((posts[0] as unknown[])[3]).toBe(frame)
  })

  test('that cannot leave end the connection, and the frame that filled one is not sent', async () => {
    const { transport, held, host } = await opened()
    held.isBroken = true
    const answers = Array.from({ length: 65 }, () => transport.send(TOPIC, 'frame'))
    expect(answers).toEqual([...Array(63).fill('sent'), 'offline', 'offline'])
    expect(host.downs).toMatchObject([{ message: 'broken' }])
    await expect(transport.flush(endless)).rejects.toMatchObject({
      message: expect.stringContaining('the channel is closed'),
    })
    await expect(transport.join(TOPIC, endless)).rejects.toMatchObject({
      message: expect.stringContaining('the channel is closed'),
    })
  })

  test('stop with the end of the transport, which is said once', async () => {
    const { transport, ends, host, posts } = await opened()
    transport.send(TOPIC, 'never sent')
    ends[0]?.emit('close')
    await transport.close(endless)
    ends[0]?.emit('close')
    await settled()
    expect(kindsOf(posts)).toEqual(['end'])
    expect(host.downs).toMatchObject([{ message: 'the channel ended' }])
  })

  test('ask the others before the end', async () => {
    const { transport, ends, host, posts } = await opened()
    transport.send(TOPIC, 'sent')
    await transport.close(endless)
    ends[0]?.emit('close')
    expect(kindsOf(posts)).toEqual(['frames', 'ask', 'end'])
    expect(host.downs).toEqual([])
  })

  test('ask once, also when the transport is closed again to hasten it', async () => {
    const { transport, post, posts } = await opened()
    post({ ask: FOREIGN_ID, position: 1, posts: 0 })
    await settled()
    const closing = transport.close(endless)
    await transport.close(AbortSignal.abort())
    await closing
    expect(kindsOf(posts)).toEqual(['ask', 'answer', 'ask', 'end'])
  })

  test('of the opening that come late change nothing', async () => {
    const { id, post, posts, transport } = await opened()
    post({ ask: id, position: 0, posts: 0 })
    await settled()
    expect(kindsOf(posts)).toEqual(['ask'])
    expect(transport.send(TOPIC, 'sent')).toBe('sent')
  })

  test.each([undefined, '1', Number.NaN])('are not answered when their counts are %s', async (count) => {
    const { post, posts } = await opened()
    post({ ask: FOREIGN_ID, position: count, posts: 0 })
    post({ ask: FOREIGN_ID, position: 1, posts: count })
    post({ ask: FOREIGN_ID, position: 1, posts: 0 })
    await settled()
    expect(posts.slice(3)).toMatchObject([{ to: FOREIGN_ID, position: 1 }])
  })
})

describe('an opening', () => {
  test('that is closed meanwhile rejects with the reason', async () => {
    const { held, make } = wire()
    held.isSilent = true
    const transport = threads({ makeChannel: make })
    const opening = expect(transport.open(new RecordingHost(), endless)).rejects.toMatchObject({
      message: expect.stringContaining('closed while it opened'),
    })
    await transport.close(endless)
    await opening
  })

  test("without a second channel rejects with the runtime's error", async () => {
    const { make } = wire()
    const makeChannel = vi.fn(make).mockImplementationOnce(make)
    makeChannel.mockImplementationOnce(() => {
      throw new Error('no more channels')
    })
    await expect(threads({ makeChannel }).open(new RecordingHost(), endless)).rejects.toMatchObject({
      message: expect.stringContaining('no more channels'),
    })
  })

  test('is over with its signal: a later abort ends nothing, and nothing listens', async () => {
    const controller = new AbortController()
    const { transport } = await opened(controller.signal)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort()
    expect(transport.send(TOPIC, 'sent')).toBe('sent')
  })
})

describe('a host', () => {
  test('gets an error with the topic and its own cause when it throws at a joined frame', async () => {
    const cause = new Error('a bug of the host')
    const { transport, post, host } = await opened()
    host.onReceive = () => {
      throw cause
    }
    await transport.join(TOPIC, endless)
    post([FOREIGN_ID, 1, TOPIC, 'frame'])
    await settled()
    const message = 'A frame was not taken from the channel: a bug of the host.'
    expect(host.errors).toMatchObject([{ topic: TOPIC, cause: { message, cause } }])
  })

  test('gets an error for a post that could not be read', async () => {
    const { ends, host } = await opened()
    ends[0]?.emit('messageerror')
    expect(host.errors).toMatchObject([{ cause: { message: 'A post could not be read from the channel.' } }])
  })

  test('gets no frames while the transport closes', async () => {
    const { transport, post, host } = await opened()
    await transport.join(TOPIC, endless)
    post({ ask: FOREIGN_ID, position: 1, posts: 0 })
    await settled()
    const patience = new AbortController()
    const closing = transport.close(patience.signal)
    post([FOREIGN_ID, 1, TOPIC, 'frame'])
    await settled()
    patience.abort()
    await closing
    expect(host).toMatchObject({ frames: [], downs: [] })
  })

  test('gets frames by a later watch when the signal of an earlier one aborts', async () => {
    const { transport, post, host } = await opened()
    const earlier = new AbortController()
    await transport.watch('default', earlier.signal)
    await transport.watch('default', endless)
    earlier.abort()
    post([FOREIGN_ID, 1, TOPIC, 'frame'])
    await settled()
    expect(host.watchedFrames).toEqual([{ topic: TOPIC, text: 'frame' }])
  })
})

describe('a barrier', () => {
  async function meets() {
    const scene = await opened()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    scene.post({ ask: FOREIGN_ID, position: 1, posts: 0 })
    await settled()
    return scene
  }
  const positionOf = (posts: readonly unknown[]) => (posts.at(-1) as { position: number }).position

  test('is over with the last answer, and leaves neither a timer nor a listener', async () => {
    const { transport, post, posts, id } = await meets()
    transport.send(TOPIC, 'sent')
    const controller = new AbortController()
    const flush = transport.flush(controller.signal)
    const position = positionOf(posts)
    let isOver = false
    void flush.then(() => {
      isOver = true
    })
    post({ answer: FOREIGN_ID, to: id, position: position - 1, posts: 0, missed: 0 })
    await settled()
    expect(isOver).toBe(false)
    post({ answer: FOREIGN_ID, to: id, position, posts: 0, missed: 0 })
    await flush
    expect(vi.getTimerCount()).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('ignores answers to other transports, and invalid ones', async () => {
    const { transport, post, posts, id } = await meets()
    const flush = transport.flush(endless)
    const answer = { position: positionOf(posts), posts: 0, missed: 0 }
    post({ answer: FOREIGN_ID, to: 'e'.repeat(32), ...answer })
    post({ answer: 'x', to: id, ...answer })
    await settled()
    expect(vi.getTimerCount()).toBe(1)
    post({ answer: FOREIGN_ID, to: id, ...answer })
    await flush
    const next = transport.flush(endless)
    post({ answer: FOREIGN_ID, to: id, ...answer, position: positionOf(posts) })
    await next
  })

  test('takes answers although the table of the others is full', async () => {
    const { transport, post, posts, id } = await meets()
    for (let nth = 0; nth < 2_000; nth += 1) post({ ask: `${nth}`.padStart(32, '0'), position: 1, posts: 0 })
    post({ answer: 'e'.repeat(32), to: id, position: 1, posts: 0, missed: 5 })
    await settled()
    expect(posts.length).toBeGreaterThan(4_000)
    expect(transport.send(TOPIC, 'sent')).toBe('sent')
  })
})

test('a transport that is not open rejects its calls', async () => {
  const transport: Transport = threads()
  expect(transport.send(TOPIC, 'frame')).toBe('offline')
  for (const call of [
    () => transport.join(TOPIC, endless),
    () => transport.watch('default', endless),
    () => transport.flush(endless),
  ]) {
    await expect(call()).rejects.toMatchObject({ message: expect.stringContaining('not open') })
  }
  expect(() => transport.leave(TOPIC)).not.toThrow()
})
