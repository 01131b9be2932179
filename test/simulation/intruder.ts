import type { Topic, Transport } from 'rivulet'
import type { Chance } from './chance.ts'
import { forgeFrames } from './forger.ts'
import type { Network } from './network.ts'
import { sidOf } from './wire.ts'
import { NETWORK } from './world.ts'

const MOST_ORIGINS = 60
/** Messages that fit in a frame. */
const FRAME = 64

/** Somebody on the bus who knows the topics, sends what no hub would, and repeats or forges what it overheard. */
export class Intruder {
  readonly #network: Network
  readonly #transport: Transport
  #origins = 0

  constructor(network: Network) {
    this.#network = network
    this.#transport = network.bus.transport()
  }

  /** Sends a few frames, or opens the connection that they need. */
  readonly intrude = (chance: Chance): void => {
    const topics = [...this.#network.topics]
    if (topics.length === 0) return
    const frames = Array.from({ length: chance.pick([1, 5, 40]) }, () =>
      this.#frame(chance, chance.pick(topics)),
    )
    void this.#send(frames)
  }

  /** Sends a few messages of each of many publishers, as a page does that everybody opens. */
  readonly crowd = (chance: Chance): void => {
    const topics = [...this.#network.topics]
    if (topics.length === 0) return
    const topic = chance.pick(topics)
    const publishers = chance.pick([10, 300, 1_000])
    const first = chance.below(2 ** 20)
    const frames: (readonly [Topic, string])[] = []
    for (let from = 0; from < publishers * 3; from += FRAME) {
      const messages = Array.from({ length: FRAME }, (_, nth) => {
        const [origin, number] = [first + Math.floor((from + nth) / 3), 1 + ((from + nth) % 3)]
        const sid = sidOf(`eeee${origin.toString(16).padStart(12, '0')}`, number)
        return JSON.stringify({ data: { n: -5, depth: 9, isChecked: true }, sid, t: 0 })
      })
      frames.push([topic, `[${messages.join(',')}]`])
    }
    void this.#send(frames)
  }

  /** Sends frames in the name of hubs that it overheard. */
  readonly forge = (chance: Chance): void => {
    for (let nth = chance.pick([1, 3, 8]); nth > 0; nth--) this.#forge(chance)
  }

  #forge(chance: Chance): void {
    const { overheard, forgeries, world } = this.#network
    if (overheard.length === 0) return
    const { topic, content } = chance.pick(overheard)
    const model = chance.pick(content.named)
    const frames = forgeFrames(chance, model)
    for (const { forged } of frames) for (const one of forged) forgeries.add(topic, one, model)
    world.note(NETWORK, `forged: ${frames.map(({ text }) => text.slice(0, 110)).join(' ')}`)
    void this.#send(frames.map(({ text }) => [topic, text]))
  }

  async #send(frames: readonly (readonly [Topic, Uint8Array | string])[]): Promise<void> {
    const host = { hub: '', receive() {}, watched() {}, down() {}, error() {}, left() {} }
    const { signal } = new AbortController()
    await this.#transport.open(host, signal).catch(() => {}) // open already, or the bus is down
    for (const [topic, frame] of frames) this.#transport.send(topic, frame)
    this.#network.world.note(NETWORK, `an intruder sends ${frames.length} frames`)
  }

  #frame(chance: Chance, topic: Topic): readonly [Topic, Uint8Array | string] {
    const { overheard, removals } = this.#network
    const frames = chance.isHit(0.3) ? removals : overheard
    const heard = frames.length > 0 ? chance.pick(frames) : undefined
    const kind = chance.below(5)
    if (heard !== undefined && kind < 2) return [heard.topic, heard.bytes]
    if (heard !== undefined && kind === 2) {
      return [heard.topic, heard.bytes.subarray(0, chance.below(heard.bytes.length))]
    }
    if (kind === 3) return [topic, this.#invented(chance)]
    return [topic, chance.pick(GARBAGE)]
  }

  #invented(chance: Chance): string {
    this.#origins = (this.#origins + 1) % MOST_ORIGINS
    const origin = `ffff${(0xabc000000000 + this.#origins).toString(16)}`
    const number = chance.pick([1, chance.between(1, 2_000), chance.between(1, 2 ** 48)])
    const sid = sidOf(origin, number)
    const t = chance.pick([0, chance.below(1_000_000), -1, 1e300, undefined])
    return JSON.stringify({ data: { n: -1, depth: 9, isChecked: true }, sid, t })
  }
}

const ONE = '{"data":{"n":-2,"depth":9}}'
const GARBAGE: readonly (Uint8Array | string)[] = [
  '{"data":{"n":-3,"depth":9,"isBad":true}}',
  '',
  '{',
  'null',
  '[]',
  '7',
  '"text"',
  '{}',
  `[${ONE},${ONE},null,5]`,
  ONE,
  '{"removed":true}',
  '['.repeat(4_000),
  `{"data":${'['.repeat(200)}${']'.repeat(200)}}`,
  `[${Array(65).fill(ONE).join(',')}]`,
  '{"data":{"__proto__":{"a":1}}}',
  '{"data":{"n":1},"sid":"TZ00","t":1}',
  '{"data":{"n":1},"sid":5}',
  '{"data":{"constructor":{"prototype":{"a":1}}}}',
  `{"data":{"n":"${'y'.repeat(70_000)}"}}`,
  '{"removed":true,"sid":"TZ00000000000000000000000000000000","t":0}',
  `\ufeff${ONE}`,
  new Uint8Array([0xff, 0xfe, 0x00, 0x7b]),
  new Uint8Array(330 * 1024).fill(0x20),
]
