import { type Hub, RivuletError, type Stream, type StreamOptions } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { expect } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { HandMadeEnvironment } from '../../support/hand-made-environment.ts'
import { flatten } from '../../support/ledger-laws.ts'
import { type Act, FOREIGN, MAX_AGE_MS, NAMES, OWN } from './acts.ts'
import { FateLog } from './fate-log.ts'
import { LoggedTransport, MAX_FRAME_BYTES } from './logged-transport.ts'
import { type Entry, ReceivedLog } from './received-log.ts'

type Data = Record<string, unknown>
type Opened = { readonly stream: Stream<Data, Data>; readonly label: string }

const MAX_IN_FLIGHT_BYTES = 1_500
/** What a frame has around a message's data, about. */
const AROUND_BYTES = 62
/** What is known of publishers does not grow old in a scene. */
const MOST_MS = 25_000
const MAX_BYTES = 1_000
const REFUSED: Readonly<Record<string, string>> = {
  INVALID_DATA: 'invalidData',
  PAYLOAD_TOO_LARGE: 'tooLarge',
  SCHEMA_MISMATCH: 'schema',
  RATE_LIMITED: 'rateLimited',
  QUEUE_FULL: 'queueFull',
  STREAM_CLOSED: 'closed',
}

const schema = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) =>
      'bad' in (value as object) ? { issues: [{ message: 'is bad' }] } : { value: value as object },
  },
}

/** One hub, what was ever opened on it, and the log of everything that happens to it. */
export class Scene {
  readonly #environment = new HandMadeEnvironment()
  readonly #startMs = this.#environment.nowMs()
  readonly #log = new FateLog()
  readonly #transport = new LoggedTransport(this.#log)
  readonly #options: StreamOptions
  readonly #hub: Hub
  readonly #streams = new Map<string, Stream<Data, Data>>()
  readonly #received = new Map<string, ReceivedLog>()
  /** Those that may still leave, and how many there are on each stream. */
  readonly #leave: (() => void)[] = []
  readonly #subscribers = new Map<string, number>()
  /** The last stream of each name that was removed: no removal of another one is sent any more. */
  readonly #removed = new Map<string, string>()
  /** Whether the hub was up when a message was accepted. */
  readonly #wasUp = new Map<number, boolean>()
  #lastSid: string | undefined
  #n = 0

  constructor(options: StreamOptions) {
    this.#options = { ...options, schema, maxBytes: MAX_BYTES, maxAgeMs: MAX_AGE_MS } as StreamOptions
    const { limit } = options
    const room = limit && limit.scope === 'stream' ? Number(limit.burst) : Infinity
    for (const name of NAMES) this.#received.set(name, new ReceivedLog({ room, maxAgeMs: MAX_AGE_MS }))
    this.#hub = createHubIn(this.#environment, {
      transport: this.#transport,
      maxInFlightBytes: MAX_IN_FLIGHT_BYTES,
    })
    this.#hub.on('error', ({ code, stream = '' }) => {
      if (code === 'LOST') this.#log.counts(this.#removed.get(stream) as string, 'lostRemovals', 1)
    })
    this.#transport.ended = () => {
      for (const received of this.#received.values()) received.join++
    }
    // Most of what comes would reach nobody otherwise.
    for (const name of NAMES) this.#subscribe(this.#open(name), 'reads')
  }

  async do(act: Act): Promise<void> {
    const { op } = act
    this.#transport.mostBytes = this.#transport.bytes
    if (op === 'publish') for (let nth = 0; nth < act.times; nth++) this.#publish(act)
    else if (op === 'subscribe') this.#subscribe(this.#open(act.name), act.how)
    else if (op === 'leave') this.#leave.splice(act.which, 1)[0]?.()
    else if (op === 'receive') this.#receive(act.name, act.entries)
    else if (op === 'end') this.#end(act.name, act.how)
    else if (op === 'answer')
      Object.assign(this.#transport, { sending: act.sending }).answers.flush = act.flush
    else if (op === 'down') this.#down()
    else if (op === 'refuse') this.#refuse(act.name)
    else await this.#pass(act.ms)
    await this.#pass(0)
    this.expectEqual()
  }

  /** Compares every count of every stream, and of the hub. */
  expectEqual(): void {
    const handed = this.#log.all('handed').map((n) => ({ n, bytes: this.#log.bytesOf(n) + AROUND_BYTES }))
    const bytes = handed.reduce((sum, one) => sum + one.bytes, this.#transport.mostBytes)
    for (const { n, bytes: own } of handed) this.#log.becomes(n, this.#whyNotSent(n, own, bytes))
    for (const [label, stream] of this.#streams) {
      expect(Object.fromEntries(flatten(stream.ledger())), label).toEqual(
        this.#log.ledger(stream.ledger(), label),
      )
    }
    const ledger = this.#hub.ledger()
    expect(Object.fromEntries(flatten(ledger)), 'the hub').toEqual(this.#log.ledger(ledger))
  }

  /** Closes the hub, and returns its last counts. */
  async end(): Promise<Map<string, number>> {
    Object.assign(this.#transport.answers, { flush: 'resolve' })
    for (const name of NAMES) this.#end(name, 'close')
    const closed = this.#hub.close()
    await this.#environment.pass(10_000)
    this.expectEqual()
    return flatten(await closed)
  }

  #open(name: string): Opened {
    const stream = this.#hub.stream<Data, Data>(name, this.#options) as Stream<Data, Data>
    for (const [label, known] of this.#streams) if (known === stream) return { stream, label }
    const label = `${name}, number ${this.#streams.size}`
    this.#streams.set(label, stream)
    this.#received.get(name)?.begin()
    stream.on('error', () => {})
    stream.on('messagePublished', ({ message, isLocal }) => {
      if (!isLocal) return
      const n = Number(message.data.n)
      this.#lastSid = message.sid
      this.#wasUp.set(n, this.#hub.status === 'up')
      if (this.#log.fateOf(n) === 'waiting') this.#log.becomes(n, 'handed')
      ;(this.#received.get(name) as ReceivedLog).room--
    })
    return { stream, label }
  }

  #publish({ name, verb, flaw, key }: Extract<Act, { op: 'publish' }>): void {
    const { stream, label } = this.#open(name)
    const n = ++this.#n
    const data = { n, ...OWN[flaw] } as Data
    const bytes = Buffer.byteLength(JSON.stringify(flaw === 'bigint' ? { n } : data))
    this.#log.asks(label, n, bytes, verb === 'publishLatest' ? key : undefined)
    const refused = (error: unknown) => {
      if (!RivuletError.is(error)) throw error
      this.#log.becomes(n, `refused.${REFUSED[error.code] ?? error.code}`)
    }
    try {
      if (verb === 'publishWhenReady') stream.publishWhenReady(data).then(undefined, refused)
      else if (verb === 'publishLatest') {
        if (stream.publishLatest(data, { key }) === undefined) this.#log.keeps(n)
      } else {
        const result = verb === 'publish' ? stream.publish(data) : stream.tryPublish(data)
        if ('ok' in result && !result.ok) refused(result.error)
      }
    } catch (error) {
      refused(error)
    }
  }

  /** `bytes` is what was in flight at the most, and all that was not sent. */
  #whyNotSent(
    n: number,
    own: number,
    bytes: number,
  ): 'lost.offline' | 'lost.failed' | 'lost.congested' | 'handed' {
    if (this.#wasUp.get(n) !== true) return 'lost.offline'
    if (own > MAX_FRAME_BYTES) return 'lost.failed'
    return bytes > MAX_IN_FLIGHT_BYTES ? 'lost.congested' : 'handed'
  }

  #subscribe({ stream, label }: Opened, how: 'reads' | 'throws' | 'rejects'): void {
    const subscription = stream.subscribe(() => {
      if (how === 'reads') return undefined
      this.#log.counts(label, 'listenerErrors', 1)
      if (how === 'throws') throw new Error('thrown')
      return Promise.reject(new Error('rejected'))
    })
    this.#come(label, 1)
    this.#leave.push(() => {
      if (subscription.closed) return
      subscription.unsubscribe()
      this.#come(label, -1)
    })
  }

  /** Subscribers come, or leave: with the last one the topic is left. */
  #come(label: string, count: number): void {
    const subscribers = (this.#subscribers.get(label) ?? 0) + count
    this.#subscribers.set(label, subscribers)
    this.#log.counts(label, 'subscribers', count)
    if (subscribers === 0) this.#receivedOn(label).leave()
  }

  #receive(name: string, entries: readonly Entry[]): void {
    if (this.#hub.status !== 'up') return
    const known = this.#lastSid === undefined ? entries.filter(({ by }) => by !== 'self') : entries
    const topic = topicOf(this.#hub.name, name)
    const messages = known.map((entry) => this.#encoded(entry))
    const frame = messages.length === 1 ? `${messages[0]}` : `[${messages}]`
    const [label] = [...this.#streams].find(([label, { closed }]) => label.startsWith(name) && !closed) ?? []
    if (label === undefined || !this.#subscribers.get(label)) this.#log.receives('the hub', 'notJoined')
    else {
      const received = this.#receivedOn(label)
      const before = received.gaps()
      for (const outcome of received.take(known, this.#transport.isOverdue))
        this.#log.receives(label, outcome)
      const after = received.gaps()
      this.#log.counts(label, 'missed', after.missed - before.missed)
      this.#log.counts(label, 'missedAway', after.missedAway - before.missedAway)
      this.#log.counts(label, 'reordered', after.reordered - before.reordered)
    }
    this.#transport.host.receive(topic, frame)
  }

  #encoded({ by, sequence, delayMs, flaw }: Entry): string {
    const sid =
      by === 'self' ? this.#lastSid : `TZf00000000000000${by}${sequence.toString(16).padStart(16, '0')}`
    const t = 100_000 + this.#environment.nowMs() - this.#startMs - delayMs
    return `{"data":${JSON.stringify(FOREIGN[flaw])},"sid":"${sid}","t":${t}}`
  }

  #receivedOn(label: string): ReceivedLog {
    return this.#received.get(label[0] as string) as ReceivedLog
  }

  #end(name: string, how: 'close' | 'remove'): void {
    const { stream, label } = this.#open(name)
    if (how === 'remove') this.#removed.set(name, label)
    stream[how]()
    this.#log.turns('waiting', 'refused.closed', label)
    const subscribers = this.#subscribers.get(label) ?? 0
    if (subscribers > 0) this.#come(label, -subscribers)
  }

  #down(): void {
    if (this.#hub.status === 'up') this.#transport.host.down(new Error('gone'))
  }

  #refuse(name: string): void {
    if (this.#hub.status !== 'up') return
    this.#transport.host.error(topicOf(this.#hub.name, name), new Error('denied'))
    for (const label of this.#streams.keys()) {
      if (label.startsWith(name)) this.#log.turns('inFlight', 'unconfirmed', label)
    }
  }

  async #pass(ms: number): Promise<void> {
    const isLong = this.#environment.nowMs() - this.#startMs > MOST_MS
    await this.#environment.pass(isLong ? Math.min(ms, 25) : ms)
  }
}
