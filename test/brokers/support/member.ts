import {
  type Hub,
  type HubStatus,
  type Ledger,
  type Message,
  openHub,
  RivuletError,
  type StreamOptions,
} from 'rivulet'
import { WebSocket } from 'ws'
import type { Publication, Sighting } from './sighting.ts'

/** What members send each other. */
interface Note {
  readonly by: string
  readonly n: number
  readonly atMs: number
  readonly padding: string
}

export interface MemberOptions {
  readonly name: string
  readonly url: string
  /** Options of all its streams. */
  readonly defaults?: StreamOptions
  /** Options of single streams. */
  readonly streams?: Readonly<Record<string, StreamOptions>>
  /** How many bytes to put into each message, beside what identifies it. */
  readonly padding?: number
}

/** What a subscriber does with each message, beside noting it. */
export interface Manner {
  readonly blockMs?: number
  readonly ends?: 'throwing' | 'rejecting' | 'never'
}

/** A status of the hub, or that it is `ready`: every join is made again. */
export interface StatusChange {
  readonly status: HubStatus | 'ready'
  readonly atMs: number
}

const PULSE_MS = 20
const FLAT_OUT_ROUND = 200
// More than a `ready` takes that is known to resolve.
const MICROTASKS = 20

/** One hub in a process of its own: does what it is asked for, and notes down what it sees. */
export class Member {
  readonly #onChange: (change: StatusChange) => void
  readonly #sightings: Sighting[] = []
  readonly #publications: Publication[] = []
  readonly #listened = new Set<string>()
  #longestTurnMs = 0
  #name = ''
  #padding = ''
  #hub: Hub | undefined
  #published = 0
  #heardLocally = 0
  #lateJoins = 0
  #rises = 0
  #errors = 0
  #iterator: AsyncIterableIterator<Message<unknown>> | undefined
  #stopPublishing = () => {}
  #firstRss = 0
  #highestRss = 0

  constructor(onChange: (change: StatusChange) => void) {
    this.#onChange = onChange
  }

  get isOpen(): boolean {
    return this.#hub !== undefined && this.#hub.status !== 'closed'
  }

  async open({ name, url, defaults, streams, padding = 0 }: MemberOptions): Promise<void> {
    this.#name = name
    this.#padding = 'x'.repeat(padding)
    // Node 20 has no WebSocket of its own.
    if (url.startsWith('ws:')) globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket
    // Who only listens notices a dead link as soon as who publishes.
    const config = { transport: url, streamDefaults: defaults, streams, timeouts: { idleMs: 2_000 } }
    this.#hub = await openHub(config, { timeoutMs: 60_000 })
    this.#hub.on('status', (status) => {
      this.#tell(status)
      if (status === 'up') void this.#tellWhenReady(++this.#rises)
    })
    this.#tell(this.#hub.status)
    this.#tell('ready')
    this.#hub.on('error', () => {
      this.#errors++
    })
  }

  /** Subscribes to streams and waits until the broker has confirmed. */
  async listen(streams: readonly string[], manner: Manner = {}): Promise<void> {
    const subscriptions = streams.map((name) => {
      const react = (message: Message<Note>) => this.#react(name, message, manner)
      this.#listened.add(name)
      return this.#stream(name).subscribe(react)
    })
    await Promise.all(subscriptions.map(({ ready }) => ready))
  }

  /** Publishes so many messages on each stream, and gives their numbers. */
  publish(streams: readonly string[], count = 1): number[] {
    const numbers: number[] = []
    for (const stream of streams) for (let i = 0; i < count; i++) numbers.push(this.#publish(stream))
    return numbers
  }

  /** Publishes in turn on the streams, so many messages a second, until `stopPublishing`. */
  publishSteadily(streams: readonly string[], perSecond: number): void {
    const startMs = performance.now()
    let count = 0
    const pulse = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) / 1000) * perSecond)
      for (; count < due; count++) this.#publish(streams[count % streams.length] as string)
    }, PULSE_MS)
    this.#stopPublishing = () => clearInterval(pulse)
  }

  /**
   * Publishes on a stream without a pause, until `stopPublishing`, but waits for a barrier whenever about `ahead` messages
   * are unconfirmed. Notes none of it.
   */
  publishFlatOut(name: string, ahead = Infinity): void {
    const stream = this.#stream(name)
    let isStopped = false
    let unconfirmed = 0
    const round = async () => {
      for (let i = 0; i < FLAT_OUT_ROUND; i++) stream.publish(this.#note())
      unconfirmed += FLAT_OUT_ROUND
      if (unconfirmed >= ahead) {
        await this.flush()
        unconfirmed = 0
      }
      if (!isStopped) setImmediate(round)
    }
    void round()
    this.#stopPublishing = () => {
      isStopped = true
    }
  }

  stopPublishing(): void {
    this.#stopPublishing()
  }

  /** Iterates a stream, and reads nothing yet. */
  iterate(stream: string, buffer: number): void {
    this.#iterator = this.#stream(stream).iterate({ buffer })
  }

  /** Closes the stream and gives the numbers that the iterator still held. */
  async held(stream: string): Promise<number[]> {
    this.#stream(stream).close()
    const numbers: number[] = []
    for await (const { data } of this.#iterator ?? []) numbers.push((data as Note).n)
    return numbers
  }

  /** Blocks the event loop. */
  block(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  }

  async flush(): Promise<void> {
    await this.#hubNow.flush()
  }

  ledger(): Ledger {
    return this.#hubNow.ledger()
  }

  ledgerOf(stream: string): Ledger {
    return this.#stream(stream).ledger()
  }

  /** How many messages of another member were heard that were published after a moment. */
  heardSince(by: string, ms: number): number {
    return this.#sightings.filter((seen) => seen.by === by && seen.atMs > ms).length
  }

  /** Which numbers of another member were not heard. */
  missing(by: string, numbers: readonly number[]): number[] {
    const heard = new Set(this.#sightings.filter((seen) => seen.by === by).map(({ n }) => n))
    return numbers.filter((n) => !heard.has(n))
  }

  /** How many streams were not joined yet, of those listened to, whenever the hub was ready. */
  lateJoins(): number {
    return this.#lateJoins
  }

  /** Everything that it noted. */
  notes() {
    return {
      sightings: this.#sightings,
      publications: this.#publications,
      heardLocally: this.#heardLocally,
    }
  }

  /** How many errors the hub has told of. */
  errors(): number {
    return this.#errors
  }

  /** How many attempts to connect have failed since the hub was up. */
  failedAttempts(): number {
    const show = Reflect.get(this.#hubNow, Symbol.for('nodejs.util.inspect.custom')) as () => object
    return Reflect.get(show.call(this.#hubNow), 'failedAttempts') as number
  }

  /** Begins to follow the resident memory. */
  watchMemory(): void {
    this.#firstRss = process.memoryUsage.rss()
    const look = () => {
      this.#highestRss = Math.max(this.#highestRss, process.memoryUsage.rss())
    }
    setInterval(look, PULSE_MS).unref()
  }

  /** By how many bytes the resident memory was ever above what it was when it began to be followed. */
  memoryGrowth(): number {
    return this.#highestRss - this.#firstRss
  }

  /** Begins to follow how much one turn of the event loop works. */
  watchTurns(): void {
    let last = process.cpuUsage()
    setInterval(() => {
      const { user, system } = process.cpuUsage(last)
      last = process.cpuUsage()
      this.#longestTurnMs = Math.max(this.#longestTurnMs, (user + system) / 1000)
    }, 1).unref()
  }

  /** The most milliseconds of processor between two timers; time in which the machine did other things is none. */
  longestTurnMs(): number {
    return this.#longestTurnMs
  }

  /** Publishes so much and closes at once; tells how publishing during and after the close was refused. */
  async publishAndClose(name: string, count: number): Promise<{ ledger: Ledger; codes: string[] }> {
    const stream = this.#stream(name)
    this.publish([name], count)
    const closing = this.#hubNow.close()
    const codes = [codeOf(() => stream.publish(this.#note()))]
    const again = this.#hubNow.close()
    const ledger = await closing
    codes.push(
      codeOf(() => stream.publish(this.#note())),
      codeOf(() => this.#stream(name)),
    )
    if ((await again) !== ledger) throw new Error('The second close gave another ledger.')
    return { ledger, codes }
  }

  async close(): Promise<Ledger> {
    this.#stopPublishing()
    return await this.#hubNow.close()
  }

  get #hubNow(): Hub {
    if (this.#hub === undefined) throw new Error('The member was not opened.')
    return this.#hub
  }

  #stream(name: string) {
    return this.#hubNow.stream<Note, Note>(name)
  }

  #note(): Note {
    return { by: this.#name, n: ++this.#published, atMs: Date.now(), padding: this.#padding }
  }

  #publish(stream: string): number {
    const { status } = this.#hubNow
    const note = this.#note()
    this.#stream(stream).publish(note)
    this.#publications.push({ n: note.n, atMs: note.atMs, status })
    return note.n
  }

  #tell(status: StatusChange['status']): void {
    this.#onChange({ status, atMs: Date.now() })
  }

  async #tellWhenReady(rise: number): Promise<void> {
    const isReady = await this.#hubNow.ready().then(
      () => true,
      () => false,
    )
    if (!isReady || rise !== this.#rises || this.#hubNow.status !== 'up') return
    this.#tell('ready')
    await this.#countLateJoins()
  }

  /** Runs within the tick of the change: nothing of the broker can come in between. */
  async #countLateJoins(): Promise<void> {
    for (const name of this.#listened) {
      let isJoined = false
      const probe = this.#stream(name).subscribe(() => {})
      const note = () => {
        isJoined = true
      }
      probe.ready.then(note, () => {})
      for (let turn = 0; turn < MICROTASKS; turn++) await undefined
      if (!isJoined) this.#lateJoins++
      probe.unsubscribe()
    }
  }

  #react(stream: string, { data, isLocal }: Message<Note>, { blockMs = 0, ends }: Manner): unknown {
    const { by, n, atMs } = data
    if (isLocal) this.#heardLocally++
    else this.#sightings.push({ stream, by, n, atMs, ageMs: Date.now() - atMs })
    if (blockMs > 0) this.block(blockMs)
    if (ends === 'throwing') throw new Error('thrown by a subscriber')
    if (ends === 'rejecting') return Promise.reject(new Error('rejected by a subscriber'))
    return ends === 'never' ? new Promise(() => {}) : undefined
  }
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'none'
  } catch (error) {
    return RivuletError.is(error) ? error.code : String(error)
  }
}
