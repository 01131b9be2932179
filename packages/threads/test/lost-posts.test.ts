import { threads } from '@rivulet/threads'
import type { RivuletError, Topic, TransportHost } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../../src/model/topic.ts'
import { closeLawfully, makeLive, openLive } from '../../../test/support/live.ts'
import { breakableChannels } from './breakable-channels.ts'
import { endless, host } from './host.ts'

const [A, B] = [topicOf('default', 'a'), topicOf('default', 'b')]

function lossyBus() {
  const name = `test-${crypto.randomUUID()}`
  const channels = breakableChannels()
  return { name, channels, transport: () => threads({ name, makeChannel: channels.make }) }
}

/** Lets what is published get to the channel, without a turn of the event loop. */
async function posted(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await undefined
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
    expect(errors[0]?.message).toContain('2 posts')
    expect(other.ledger()).toMatchObject({ accepted: 1, confirmed: 1, unconfirmed: 0 })
    const [, got] = await closeLawfully(here, there)
    expect(got).toMatchObject({ delivered: 4, missed: 2 })
  })

  test('is noticed when no other one follows it', async () => {
    const { name, channels, transport } = lossyBus()
    const [sender, receiver] = [transport(), threads(name)]
    for (const each of [sender, receiver]) onTestFinished(() => each.close(AbortSignal.abort()))
    const told: [Topic | undefined, Error][] = []
    await receiver.open(host(), endless)
    await sender.open(
      { ...host(), error: (...each) => void told.push(each) } satisfies TransportHost,
      endless,
    )
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
