import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Message, type RivuletError } from 'rivulet'
import { config } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../src/message/topic.ts'
import { tick } from '../support/fake-time.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

/** Functions that note what they were called on; the value that each returns is what its caller needs. */
class Calls {
  readonly seen: unknown[] = []

  noting<Value>(value?: Value): (...args: unknown[]) => Value {
    const { seen } = this
    return function (this: unknown) {
      seen.push(this)
      return value as Value
    }
  }
}

const onStream = (use: (calls: Calls, stream: ReturnType<Hub['stream']>) => unknown) => {
  return (calls: Calls) => {
    const stream = createHub().stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    use(calls, stream)
    stream.publish({})
    stream.tryPublish({})
    stream.remove()
  }
}

const places: Readonly<Record<string, (calls: Calls) => unknown>> = {
  'a subscriber': onStream((calls, stream) => stream.subscribe(calls.noting())),
  'a subscriber with a signal': onStream((calls, stream) =>
    stream.subscribe(calls.noting(), { signal: new AbortController().signal }),
  ),
  'an observer that is a function': onStream((calls, stream) => stream.messages$.subscribe(calls.noting())),
  'the key function of an iterator': onStream((calls, stream) =>
    stream.iterate({ overflow: 'latest', key: calls.noting() }),
  ),
  'a listener of messagePublished': onStream((calls, stream) =>
    stream.on('messagePublished', calls.noting()),
  ),
  'a listener of refused': onStream((calls, stream) => stream.on('refused', calls.noting())),
  'a listener that is called once': onStream((calls, stream) => stream.once('removed', calls.noting())),
  'a listener of a hub': async (calls) => {
    const hub = createHub()
    hub.on('status', calls.noting())
    await hub.close()
  },
  'the clock of a hub': (calls) =>
    createHub({ nowMs: calls.noting(1) })
      .stream('s')
      .publish({}),
  'the listener of a tap': async (calls) => {
    const bus = memoryBus()
    const [hub, tool] = [createHub({ transport: bus.transport() }), createHub({ transport: bus.transport() })]
    await Promise.all([tool.tap(calls.noting()).ready, hub.ready()])
    hub.stream('s').publish({})
    await hub.flush()
    await tick()
    await Promise.all([hub.close(), tool.close()])
  },
  'a subscriber of what other processes publish': async (calls) => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    await hub.stream('s').subscribe(calls.noting()).ready
    transport.host.receive(topicOf(hub.name, 's'), '{"data":{}}')
    await hub.close()
  },
  'what RxJS has for errors': async (calls) => {
    const { onUnhandledError } = config
    onTestFinished(() => {
      config.onUnhandledError = onUnhandledError
    })
    config.onUnhandledError = calls.noting()
    const stream = createHub().stream('s')
    stream.messages$.subscribe(() => {
      throw new Error('mine')
    })
    stream.publish({})
    await new Promise((resolve) => setTimeout(resolve)) // RxJS tells of it in a timer, and so does the stream
  },
}

test.each(Object.keys(places))('%s is called on no object', async (place) => {
  const calls = new Calls()
  await places[place]?.(calls)
  expect(new Set(calls.seen)).toEqual(new Set([undefined]))
})

test('a subscriber cannot silence the others by what it is called on', () => {
  const stream = createHub().stream('s')
  const heard: string[] = []
  const errors: RivuletError[] = []
  stream.on('error', (error) => errors.push(error))
  stream.subscribe(function (this: { length: number }) {
    this.length = 0
  })
  stream.subscribe(() => heard.push('the second'))
  stream.publish({ n: 1 })
  stream.publish({ n: 2 })
  expect(heard).toEqual(['the second', 'the second'])
  expect(errors.map(({ code }) => code)).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED'])
})

test('a method that is subscribed without its object does not write into the fan-out', () => {
  const stream = createHub().stream('s')
  stream.on('error', () => {})
  const log: Message[] = []
  stream.subscribe(log.push)
  let calls = 0
  stream.subscribe(() => calls++)
  for (let n = 1; n <= 4; n++) stream.publish({ n })
  expect(calls).toBe(4)
  expect(stream.ledger()).toMatchObject({ listenerErrors: 4, subscribers: 2 })
})
