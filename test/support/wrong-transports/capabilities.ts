import { memoryBus } from '@rivulet/memory'
import type { Transport } from 'rivulet'
import type { ContractBackend } from 'rivulet/testing'
import { backendOf, claims, type WrongTransport, wrong } from './wrong-transport.ts'

const UNLIMITED = Infinity

export const wrongCapabilities: readonly WrongTransport[] = [
  wrong('has a blank name', () => ({ name: ' ' }), ['states its name and capabilities once open']),
  wrong('gives two hubs one prefix', claims({ prefixes: ['0123456789ab'] }), [
    'gives prefixes of 12 hex digits, no two alike, or none',
  ]),
  wrong('gives a prefix of another form', claims({ prefixes: ['fleet'] }), [
    'gives prefixes of 12 hex digits, no two alike, or none',
  ]),
  wrong('names a limit that is no number', claims({ maxFrameBytes: () => Number.NaN }), [
    'states its name and capabilities once open',
  ]),
  wrong(
    'denies its echoes',
    claims({ echoes: false }),
    ['brings own frames back exactly when echoes is true'],
    { echoes: true },
  ),
  wrong('claims echoes', claims({ echoes: true }), [
    'brings own frames back exactly when echoes is true',
    'delivers each frame once to every other transport that joined',
  ]),
  wrong(
    'claims an order that it does not keep',
    claims({ ordered: true }),
    ['keeps the order of frames exactly when ordered is true'],
    { reorder: 0.1 },
  ),
  wrong('denies the order that it keeps', claims({ ordered: false }), [
    'keeps the order of frames exactly when ordered is true',
  ]),
  wrong(
    'takes larger frames than it says',
    claims({ maxFrameBytes: () => 999 }),
    ['hands frames over byte for byte', 'takes frames up to maxFrameBytes and survives a larger one'],
    { maxFrameBytes: 1000 },
  ),
  wrong(
    'takes smaller frames than it says',
    claims({ maxFrameBytes: () => 6000 }),
    ['takes frames up to maxFrameBytes and survives a larger one'],
    { maxFrameBytes: 5999 },
  ),
  wrong(
    'takes no large frames',
    claims({ maxFrameBytes: () => UNLIMITED }),
    ['takes frames up to maxFrameBytes and survives a larger one'],
    { maxFrameBytes: 9999 },
  ),
  wrong(
    'throws at a frame that is too large',
    throwsAtLarge,
    ['takes frames up to maxFrameBytes and survives a larger one'],
    { maxFrameBytes: 9999 },
  ),
  wrong(
    'sends nothing any more after a frame that is too large',
    diesOfLarge,
    ['takes frames up to maxFrameBytes and survives a larger one'],
    { maxFrameBytes: 9999 },
  ),
  wrong('claims to reach other machines', claims({ scope: 'network' }), [
    'receives frames from elsewhere exactly when scope says so',
  ]),
  {
    flaw: 'denies that it reaches other processes',
    fails: ['receives frames from elsewhere exactly when scope says so'],
    create: reachable,
  },
]

function throwsAtLarge(right: Transport): Partial<Transport> {
  return {
    send: (topic, frame) => {
      if (frame.length > right.capabilities.maxFrameBytes(topic)) throw new RangeError('too large')
      return right.send(topic, frame)
    },
  }
}

function diesOfLarge(right: Transport): Partial<Transport> {
  let isDead = false
  return {
    send: (topic, frame) => {
      isDead ||= frame.length > right.capabilities.maxFrameBytes(topic)
      return isDead ? 'sent' : right.send(topic, frame)
    },
  }
}

function reachable(): ContractBackend {
  const bus = memoryBus()
  return {
    ...backendOf(bus, () => ({})),
    elsewhere: async (topic, frame) => {
      const { signal } = new AbortController()
      const other = bus.transport()
      await other.open(
        {
          hub: 'default',
          receive: () => {},
          watched: () => {},
          down: () => {},
          error: () => {},
          left: () => {},
        },
        signal,
      )
      other.send(topic, frame)
      await other.close(signal)
    },
  }
}
