import { threads } from '@rivulet/threads'
import type { RivuletError, Topic, TransportHost } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../../src/model/topic.ts'
import { closeLawfully, eventually, makeLive, openLive } from '../../../test/support/live.ts'
import type { AnswerPost, AskPost } from '../src/post.ts'
import { breakableChannels } from './breakable-channels.ts'
import { endless, host } from './host.ts'

const [A, B, C] = [topicOf('default', 'a'), topicOf('default', 'b'), topicOf('default', 'c')]

function lossyBus() {
  const name = `test-${crypto.randomUUID()}`
  const channels = breakableChannels()
  return { name, channels, transport: () => threads({ name, makeChannel: channels.make }) }
}

/** Lets what is published get to the channel, without a turn of the event loop. */
async function posted(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await undefined
}

/** Poses as a transport of another thread, which answers a barrier when the test says so. One transport hears it. */
async function slowThread(name: string, id = 'f'.repeat(32)) {
  const channel = new BroadcastChannel(`rivulet/threads/${name}`)
  onTestFinished(() => channel.close())
  const nextAfter = (action: () => void, isIt: (post: Partial<AskPost & AnswerPost>) => boolean) =>
    new Promise<AskPost>((resolve) => {
      channel.onmessage = ({ data }) => isIt(data) && resolve(data)
      action()
    })
  /** Posts a question whose answer says that all before it was taken. */
  const taken = () =>
    nextAfter(
      () => channel.postMessage({ ask: id, position: 1, posts: 0 }),
      ({ to }) => to === id,
    )
  await taken()
  return {
    /** Resolves to what the transport asks next. */
    asked: (action: () => void) => nextAfter(action, ({ ask }) => ask !== undefined),
    /** Answers: so many posts have never come until then. */
    async answer({ ask: to, position }: AskPost, missed: number) {
      channel.postMessage({ answer: id, to, position, posts: 0, missed })
      await taken()
    },
  }
}

/** The same with the transport: `told` are the topics of its errors since it was called last. */
async function slowThreadAndSender() {
  const { name, transport } = lossyBus()
  const sender = transport()
  onTestFinished(() => sender.close(AbortSignal.abort()))
  const topics: (Topic | undefined)[] = []
  await sender.open({ ...host(), error: (topic) => void topics.push(topic) }, endless)
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
    told: () => topics.splice(0),
  }
}

describe('a post that never came to another thread', () => {
  test('makes what is in flight on its stream unconfirmed, with an error that says so', async () => {
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
    const told: [Topic | undefined, Error][] = []
    const kept = host()
    await receiver.open(kept, endless)
    await receiver.join(A, endless)
    await sender.open(
      { ...host(), error: (...each) => void told.push(each) } satisfies TransportHost,
      endless,
    )
    // Once this has come the receiver's answer to the opening is on its way, and a barrier later they know of each other.
    sender.send(A, 'not lost')
    await eventually(() => kept.frames.length).toBe(1)
    await sender.flush(endless)
    channels.lose(true)
    for (const topic of [A, B]) sender.send(topic, 'lost')
    await sender.flush(endless)
    channels.lose(false)
    expect(told.map(([topic]) => topic)).toEqual([A, B])
    sender.send(A, 'not lost')
    await sender.flush(endless)
    expect(told).toHaveLength(2)
  })

  test('is nothing that a thread misses which came later', async () => {
    const { name, transport } = lossyBus()
    const sender = transport()
    onTestFinished(() => sender.close(AbortSignal.abort()))
    const kept = host()
    await sender.open(kept, endless)
    for (let nth = 0; nth < 3; nth += 1) {
      sender.send(A, 'early')
      await sender.flush(endless)
    }
    const latecomer = threads(name)
    onTestFinished(() => latecomer.close(AbortSignal.abort()))
    await latecomer.open(host(), endless)
    sender.send(A, 'late')
    await sender.flush(endless)
    expect(kept.errors).toEqual([])
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
    const flushes: Promise<void>[] = []
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

  test('tells of what was sent before the ask that it answers', async () => {
    const { ask, answer, told } = await slowThreadAndSender()
    const [first, second] = [await ask(A), await ask(B)]
    await answer(first, 1)
    expect(told()).toEqual([A])
    await answer(second, 1)
    expect(told()).toEqual([])
  })

  test('tells of nothing that its thread has answered before', async () => {
    const { ask, answer, told } = await slowThreadAndSender()
    const [first, second] = [await ask(A), await ask(B)]
    await ask(A, C)
    await answer(first, 0)
    await answer(second, 1)
    expect(told()).toEqual([B])
  })

  test('tells of all that its thread has not answered before', async () => {
    const { ask, answer, told } = await slowThreadAndSender()
    await ask(A)
    const second = await ask(B)
    const third = await ask()
    await ask(C)
    await answer(third, 1)
    expect(told()).toEqual([A, B])
    await answer(second, 1)
    expect(told()).toEqual([])
  })

  test('tells of what another thread has answered, and the one that answers has not', async () => {
    const { name, ask, answer, told } = await slowThreadAndSender()
    const slower = await slowThread(name, 'e'.repeat(32))
    const first = await ask(A)
    await answer(first, 0)
    await ask(B)
    await slower.answer(first, 1)
    expect(told()).toEqual([A])
  })

  test('tells of no topic when all that were known had answered, since what was sent then is forgotten', async () => {
    const { name, ask, answer, told } = await slowThreadAndSender()
    const first = await ask(A)
    await answer(first, 0)
    await ask(B)
    const unknown = await slowThread(name, 'e'.repeat(32))
    await unknown.answer(first, 1)
    expect(told()).toEqual([undefined])
  })

  test('tells of too much rather than too little after many asks, and of nothing that was sent later', async () => {
    const { ask, answer, told } = await slowThreadAndSender()
    const topics = Array.from({ length: 40 }, (_, nth) => topicOf('default', `${nth}`))
    const asks: AskPost[] = []
    for (const topic of topics) asks.push(await ask(topic, A))
    const toldOf = async (nth: number, missed: number) => {
      await answer(asks[nth] as AskPost, missed)
      return new Set(told())
    }
    expect(await toldOf(0, 1)).toEqual(new Set([topics[0], A]))
    // The first 25 asks are one by now: the second answer tells of the first topic again.
    expect(await toldOf(1, 2)).toEqual(new Set([...topics.slice(0, 2), A]))
    expect(await toldOf(24, 3)).toEqual(new Set([...topics.slice(0, 25), A]))
    expect(await toldOf(25, 4)).toEqual(new Set([topics[25], A]))
    expect(await toldOf(30, 5)).toEqual(new Set([...topics.slice(26, 31), A]))
    expect(await toldOf(39, 6)).toEqual(new Set([...topics.slice(31), A]))
  })

  test('tells no more than was sent before it after many asks without frames', async () => {
    const { ask, answer, told } = await slowThreadAndSender()
    const [first, second] = [await ask(A), await ask(B)]
    for (let nth = 0; nth < 20; nth += 1) await ask()
    await answer(first, 0)
    await answer(second, 1)
    expect(told()).toEqual([B])
  })
})
