import { describe, expect, test } from 'vitest'
import { HubPeers, StreamPeers } from '../src/peers.ts'

const originOf = (number: number) => number.toString(16).padStart(16, '0')

/** Lets an origin speak often enough to be proven. */
function prove(peers: StreamPeers, origin: string): void {
  const peer = peers.of(origin)
  for (let sequence = 1; sequence <= 3; sequence++) {
    peer.judge({ sequence, tMs: undefined, arrivalMs: 0, maxAgeMs: 1, join: 1, mayBeOld: false })
  }
}

describe('the origins of a stream', () => {
  test('are remembered, each for itself', () => {
    const peers = new StreamPeers(new HubPeers())
    const one = peers.of(originOf(1))
    expect(one.origin).toBe(originOf(1))
    expect(peers.of(originOf(2))).not.toBe(one)
    expect(peers.of(originOf(1))).toBe(one)
    expect(peers.size).toBe(2)
  })

  test('are 256 at the most', () => {
    const peers = new StreamPeers(new HubPeers())
    for (let number = 0; number < 10_000; number++) peers.of(originOf(number))
    expect(peers.size).toBe(256)
  })

  // RELIABILITY 73
  test('are evicted before a proven one while they have sent fewer than three messages', () => {
    const peers = new StreamPeers(new HubPeers())
    prove(peers, 'real')
    const real = peers.of('real')
    for (let number = 0; number < 100_000; number++) peers.of(originOf(number))
    expect(peers.of('real')).toBe(real)
    expect(peers.size).toBe(256)
  })

  test('are evicted, when all are proven, from the one that was silent longest', () => {
    const peers = new StreamPeers(new HubPeers())
    for (let number = 0; number < 256; number++) prove(peers, originOf(number))
    const known = peers.of(originOf(0)) // speaks again
    const silent = peers.of(originOf(1))
    for (let number = 2; number < 256; number++) peers.of(originOf(number))
    peers.of(originOf(0))
    peers.of('newcomer')
    expect(peers.of(originOf(0))).toBe(known)
    expect(peers.of(originOf(1))).not.toBe(silent)
  })

  test('are new again when they were evicted or forgotten right after they spoke', () => {
    const peers = new StreamPeers(new HubPeers())
    const evicted = peers.of(originOf(1))
    expect(peers.last).toBe(evicted)
    peers.delete(evicted)
    expect(peers.last).toBeUndefined()
    const forgotten = peers.of(originOf(1))
    expect(forgotten).not.toBe(evicted)
    peers.clear()
    expect(peers.of(originOf(1))).not.toBe(forgotten)
  })

  test('are forgotten when the stream closes', () => {
    const all = new HubPeers()
    const peers = new StreamPeers(all)
    for (let number = 0; number < 100; number++) peers.of(originOf(number))
    expect(all.size).toBe(100)
    peers.clear()
    expect(peers.size).toBe(0)
    expect(all.size).toBe(0)
  })
})

describe('the origins of a hub', () => {
  /** Fills a hub to its limit over 256 streams. */
  function fill(isProven: (stream: number) => boolean) {
    const all = new HubPeers()
    const streams = Array.from({ length: 256 }, () => new StreamPeers(all))
    for (const [nth, peers] of streams.entries()) {
      for (let number = 0; number < 256; number++) {
        if (isProven(nth)) prove(peers, originOf(number))
        else peers.of(originOf(number))
      }
    }
    return { all, streams }
  }

  const sizeOf = (streams: readonly StreamPeers[]) => streams.reduce((sum, { size }) => sum + size, 0)

  test('are 65 536 at the most over all its streams', () => {
    const { all, streams } = fill(() => false)
    expect(all.size).toBe(65_536)
    const another = new StreamPeers(all)
    for (let number = 0; number < 100; number++) another.of(originOf(number))
    expect(another.size).toBe(100)
    expect(all.size).toBe(65_536)
    expect(sizeOf([...streams, another])).toBe(65_536)
  })

  test('are evicted before proven ones while they have sent fewer than three messages', () => {
    const { all, streams } = fill((nth) => nth === 0)
    const another = new StreamPeers(all)
    for (let number = 0; number < 256; number++) another.of(originOf(number))
    expect(streams[0]?.size).toBe(256)
    expect(sizeOf([...streams, another])).toBe(65_536)
  })

  test('are evicted also when all are proven, from the one that came first', () => {
    const { all, streams } = fill(() => true)
    const another = new StreamPeers(all)
    another.of('newcomer')
    expect(another.size).toBe(1)
    expect(all.size).toBe(65_536)
    expect(sizeOf([...streams, another])).toBe(65_536)
  })
})
