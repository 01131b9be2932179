import { createHub, type Hub, type Stream } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../src/message/topic.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

/** Without a turn between, a test would never end: from then on its listener does nothing. */
const MOST = 20_000

/** What a listener that publishes at every event is told of, and how a publish gets there. */
interface Loop {
  readonly transport?: (transport: ScriptedTransport) => void
  readonly maxInFlightBytes?: number
  readonly listen: (stream: Stream, hub: Hub, again: () => void) => unknown
}

class Echoing extends ScriptedTransport {
  override send(topic: Parameters<ScriptedTransport['send']>[0], frame: Uint8Array | string) {
    this.host.receive(topic, frame)
    return super.send(topic, frame)
  }
}

const down = (transport: ScriptedTransport) => {
  transport.answers.open = 'hang'
}
const onLost = (stream: Stream, _: Hub, again: () => void) => stream.on('lost', again)
const onError = (stream: Stream, _: Hub, again: () => void) => stream.on('error', again)

const loops: Readonly<Record<string, Loop>> = {
  'lost, while there is no connection': { transport: down, listen: onLost },
  'lost, asynchronously': {
    transport: down,
    listen: (stream, _, again) => stream.on('lost', () => Promise.resolve().then(again)),
  },
  'lost, since too much is on its way': { maxInFlightBytes: 1, listen: onLost },
  'lost, since the transport throws': {
    transport: (transport) => {
      transport.sending = new Error('broken')
    },
    listen: onLost,
  },
  'error, since the transport throws': {
    transport: (transport) => {
      transport.sending = new Error('broken')
    },
    listen: onError,
  },
  'error of a hub, since the transport throws instead of telling a limit': {
    transport: ({ capabilities }) =>
      Object.assign(capabilities, {
        maxFrameBytes: () => {
          throw new Error('broken')
        },
      }),
    listen: (_, hub, again) => hub.on('error', again),
  },
  'dropped, over a transport that echoes at once': {
    listen: (stream, _, again) => {
      stream.subscribe(() => {})
      stream.on('dropped', again)
    },
  },
  'error, since subscribers reject': {
    listen: (stream, hub, again) => {
      stream.subscribe(() => Promise.reject(new Error('mine')))
      return onError(stream, hub, again)
    },
  },
  'error, since a listener rejects': {
    listen: (stream, hub, again) => {
      stream.on('messagePublished', () => Promise.reject(new Error('mine')))
      return onError(stream, hub, again)
    },
  },
}

test.each(Object.keys(loops))('the event loop turns while a listener publishes at each %s', async (name) => {
  const { transport: prepare, maxInFlightBytes, listen } = loops[name] as Loop
  const transport = new Echoing()
  prepare?.(transport)
  const hub = createHub({ transport, maxInFlightBytes })
  hub.on('error', () => {})
  onTestFinished(async () => expectLaws(await hub.close()))
  if (transport.answers.open === 'resolve') await hub.ready()
  const stream: Stream = hub.stream('s', { limit: false })
  let told = 0
  let isOver = false
  listen(stream, hub, () => {
    if (!isOver && ++told < MOST) stream.publish({})
  })
  transport.host.receive(topicOf(hub.name, 's'), 'nothing') // where a drop is what it begins with
  stream.publish({})
  await new Promise((resolve) => setTimeout(resolve))
  await new Promise((resolve) => setTimeout(resolve))
  isOver = true
  expect(told).toBeGreaterThan(100)
  expect(told).toBeLessThan(MOST)
})

test('what listeners are told late is told before a hub is closed', async () => {
  const transport = new ScriptedTransport()
  transport.answers.open = 'hang'
  const hub = createHub({ transport })
  const stream = hub.stream('s', { limit: false })
  stream.subscribe(() => Promise.reject(new Error('mine')))
  let told = 0
  hub.on('error', () => told++)
  for (let n = 0; n < 5_000; n++) stream.publish({ n })
  const { listenerErrors } = await hub.close()
  expect([told, listenerErrors]).toEqual([5_000, 5_000])
})
