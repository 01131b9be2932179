import { threads } from '@rivulet/threads'
import type { RivuletError, Topic } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { endless } from '../../../test/support/adapters/waits.ts'
import { closeLawfully, eventually, makeLive, openLive } from '../../../test/support/live.ts'
import type { AnswerPost, AskPost } from '../src/post.ts'
import { breakableChannels } from './breakable-channels.ts'

const [A, B, C] = [topicOf('default', 'a'), topicOf('default', 'b'), topicOf('default', 'c')]

function lossyBus() {
  const name = `test-${crypto.randomUUID()}`
  const channels = breakableChannels()
  return { name, channels, transport: () => threads({ name, makeChannel: channels.make }) }
}

/** Lets published messages reach the channel, without a turn of the event loop. */
async function posted(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await undefined
}

/** Simulates a transport of another thread, which answers a barrier on the test's call, for one transport. */
async function slowThread(name: string, id = 'f'.repeat(32)) {
  const channel = new BroadcastChannel(`rivulet/threads/${name}`)
  onTestFinished(() => channel.close())
  const nextAfter = (action: () => void, isIt: (post: Partial<AskPost & AnswerPost>) => boolean) =>
    new Promise<AskPost>((resolve) => {
      channel.onmessage = ({ data }) => isIt(data) && resolve(data)
      action()
    })
  /** Posts an ask whose answer confirms that all posts before it were read. */
  const taken = () =>
    nextAfter(
      () => channel.postMessage({ ask: id, position: 1, posts: 0 }),
      ({ to }) => to === id,
    )
  await taken()
  return {
    /** Resolves to the transport's next ask. */
    asked: (action: () => void) => nextAfter(action, ({ ask }) => ask !== undefined),
    /** Answers with the number of posts missed until then. */
    async answer({ ask: to, position }: AskPost, missed: number) {
      channel.postMessage({ answer: id, to, position, posts: 0, missed })
      await taken()
    },
  }
}

/** The same with the transport: `reported` returns the topics of its errors since the last call. */
async function slowThreadAndSender() {
  const { name, transport } = lossyBus()
  const sender = transport()
  onTestFinished(() => sender.close(AbortSignal.abort()))
  const host = new RecordingHost()
  await sender.open(host, endless)
  const slow = await slowThread(name)
  return {
    name,
    /** Sends on each topic and begins a barrier. */
    ask: (...sent: Topic[]) =>
      slow.asked(() => {
        for (const topic of sent) sender.send(topic, 'a frame')
        sender.flush(new AbortController().signal).catch(() => {})
      }),
    answer: slow.answer,
    reported: () => host.errors.splice(0).map(({ topic }) => topic),
  }
}

describe('a post that never came to another thread', () => {
  test('makes messages in flight on its stream unconfirmed, with an error', async () => {
    const { name, channels, transport } = lossyBus()
    const here = makeLive({ transport: transport() })
    await here.ready()
    const there = await openLive(`threads:${name}`)
    const heard: unknown[] = []
    await there.stream('a').subscribe(({ data }) => heard.push(data.n)).ready
    const [stream, other] = [here.stream('a'), here.stream('b')]
    const errors: RivuletError[] = []
    stream.on('error', (error) => errors.push(error))
    other.on('error', (error) => errors.push(error))
    for (const each of [stream, other]) each.publish({ n: 1 })
    await here.flush()
    channels.lose(true)
    for (const n of [2, 3]) {
      stream.publish({ n })
      await posted()
    }
    channels.lose(false)
    stream.publish({ n: 4 })
    await here.flush()
    expect(stream.ledger()).toMatchObject({ accepted: 4, confirmed: 1, unconfirmed: 3 })
    for (const n of [5, 6]) {
      stream.publish({ n })
      await here.flush()
    }
    expect(heard).toEqual([1, 4, 5, 6])
    expect(errors).toMatchObject([{ code: 'TRANSPORT_FAILED', stream: 'a' }])
    const advice = 'more waited for it than this runtime keeps; await flush more often'
    expect(errors[0]?.message).toContain(`2 posts never came to another thread: ${advice}.`)
    expect(other.ledger()).toMatchObject({ accepted: 1, confirmed: 1, unconfirmed: 0 })
    const [, got] = await closeLawfully(here, there)
    expect(got).toMatchObject({ delivered: 4, missed: 2 })
  })

  test('is noticed when no other one follows it', async () => {
    const { name, channels, transport } = lossyBus()
    const [sender, receiver] = [transport(), threads(name)]
    for (const each of [sender, receiver]) onTestFinished(() => each.close(AbortSignal.abort()))
    const [host, senderHost] = [new RecordingHost(), new RecordingHost()]
    await receiver.open(host, endless)
    await receiver.join(A, endless)
    await sender.open(senderHost, endless)
    // When this has arrived the receiver's answer to the opening is in flight, and after a barrier they know each other.
    sender.send(A, 'not lost')
    await eventually(() => host.frames.length).toBe(1)
    await sender.flush(endless)
    channels.lose(true)
    for (const topic of [A, B]) sender.send(topic, 'lost')
    await sender.flush(endless)
    channels.lose(false)
    expect(senderHost.errors.map(({ topic }) => topic)).toEqual([A, B])
    sender.send(A, 'not lost')
    await sender.flush(endless)
    expect(senderHost.errors).toHaveLength(2)
  })

  test('is no loss for a thread that began later', async () => {
    const { name, transport } = lossyBus()
    const sender = transport()
    onTestFinished(() => sender.close(AbortSignal.abort()))
    const host = new RecordingHost()
    await sender.open(host, endless)
    for (let nth = 0; nth < 3; nth += 1) {
      sender.send(A, 'early')
      await sender.flush(endless)
    }
    const latecomer = threads(name)
    onTestFinished(() => latecomer.close(AbortSignal.abort()))
    await latecomer.open(new RecordingHost(), endless)
    sender.send(A, 'late')
    await sender.flush(endless)
    expect(host.errors).toEqual([])
  })
})

describe('an answer that comes after the publisher has asked again', () => {
  test('makes nothing unconfirmed on a stream that was published on later', async () => {
    const { name, transport } = lossyBus()
    const here = makeLive({ transport: transport() })
    await here.ready()
    const slow = await slowThread(name)
    const [early, late] = [here.stream('a'), here.stream('b')]
    const errors: (string | undefined)[] = []
    for (const each of [early, late]) each.on('error', ({ stream }) => errors.push(stream))
    const flushes: Promise<unknown>[] = []
    const publish = (stream: typeof early) => () => {
      stream.publish({ n: 1 })
      flushes.push(here.flush())
    }
    const first = await slow.asked(publish(early))
    await flushes[0]
    const second = await slow.asked(publish(late))
    for (const each of [first, second]) await slow.answer(each, 1)
    await flushes[1]
    expect(errors).toEqual(['a'])
    expect(late.ledger()).toMatchObject({ accepted: 1, confirmed: 1, unconfirmed: 0 })
    await closeLawfully(here)
  })

  test('reports frames sent before the ask that it answers', async () => {
    const { ask, answer, reported } = await slowThreadAndSender()
    const [first, second] = [await ask(A), await ask(B)]
    await answer(first, 1)
    expect(reported()).toEqual([A])
    await answer(second, 1)
    expect(reported()).toEqual([])
  })

  test('reports no frames that its thread has answered before', async () => {
    const { ask, answer, reported } = await slowThreadAndSender()
    const [first, second] = [await ask(A), await ask(B)]
    await ask(A, C)
    await answer(first, 0)
    await answer(second, 1)
    expect(reported()).toEqual([B])
  })

  test('reports all frames that its thread has not answered before', async () => {
    const { ask, answer, reported } = await slowThreadAndSender()
    await ask(A)
    const second = await ask(B)
    const third = await ask()
    await ask(C)
    await answer(third, 1)
    expect(reported()).toEqual([A, B])
    await answer(second, 1)
    expect(reported()).toEqual([])
  })

  test('reports frames that only another thread has answered before', async () => {
    const { name, ask, answer, reported } = await slowThreadAndSender()
    const slower = await slowThread(name, 'e'.repeat(32))
    const first = await ask(A)
    await answer(first, 0)
    await ask(B)
    await slower.answer(first, 1)
    expect(reported()).toEqual([A])
  })

  test('reports no topic when all known threads had answered, and topics are forgotten', async () => {
    const { name, ask, answer, reported } = await slowThreadAndSender()
    const first = await ask(A)
    await answer(first, 0)
    await ask(B)
    const unknown = await slowThread(name, 'e'.repeat(32))
    await unknown.answer(first, 1)
    expect(reported()).toEqual([undefined])
  })

  test('reports rather too much after many asks, but nothing sent later', async () => {
    const { ask, answer, reported } = await slowThreadAndSender()
    const topics = Array.from({ length: 40 }, (_, nth) => topicOf('default', `${nth}`))
    const asks: AskPost[] = []
    for (const topic of topics) asks.push(await ask(topic, A))
    const toldOf = async (nth: number, missed: number) => {
      await answer(asks[nth] as AskPost, missed)
      return new Set(reported())
    }
    expect(await toldOf(0, 1)).toEqual(new Set([topics[0], A]))
    // The first 25 asks are merged by now: the second answer reports the first topic again.
    expect(await toldOf(1, 2)).toEqual(new Set([...topics.slice(0, 2), A]))
    expect(await toldOf(24, 3)).toEqual(new Set([...topics.slice(0, 25), A]))
    expect(await toldOf(25, 4)).toEqual(new Set([topics[25], A]))
    expect(await toldOf(30, 5)).toEqual(new Set([...topics.slice(26, 31), A]))
    expect(await toldOf(39, 6)).toEqual(new Set([...topics.slice(31), A]))
  })

  test('reports only earlier frames after many asks without frames', async () => {
    const { ask, answer, reported } = await slowThreadAndSender()
    const [first, second] = [await ask(A), await ask(B)]
    for (let nth = 0; nth < 20; nth += 1) await ask()
    await answer(first, 0)
    await answer(second, 1)
    expect(reported()).toEqual([B])
  })
})
