import { setTimeout as sleep } from 'node:timers/promises'
import { type Hub, type Ledger, type Message, RivuletError, type Stream, type Transport } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { flatten, sumOfLedgers } from '../support/ledger-laws.ts'
import { PATIENT } from './patient.ts'
import { DATA, type Data, schema } from './payloads.ts'
import type { Behaviour, Plan, Publish, Step, StreamPlan } from './plan.ts'
import { Sight } from './sight.ts'

type Opened = { readonly label: string; readonly of: number; readonly stream: Stream<Data, Data> }
type Reader = { readonly of: number; stop(): void; next?(): void }

/** A place in the scenario: the hub that stands there, its streams and subscribers, and what they show. */
export class Site {
  declare hub: Hub
  readonly #plan: Plan
  readonly #place: number
  readonly #connect: () => Promise<Transport>
  readonly #nowMs: () => number
  readonly #sight = new Sight()
  #opened: Opened[] = []
  #readers: Reader[] = []
  #subscribed = 0
  #endTap: (() => void) | undefined
  #skewMs = 0

  /** `open` it before anything else. */
  constructor(plan: Plan, place: number, connect: () => Promise<Transport>, nowMs: () => number) {
    this.#plan = plan
    this.#place = place
    this.#connect = connect
    this.#nowMs = () => nowMs() + this.#skewMs
  }

  /** Opens the hub; it need not be up yet. */
  async open(): Promise<this> {
    const { acceptRemoval, maxInFlightBytes } = this.#plan.hubs[this.#place] as Plan['hubs'][number]
    const transport = await this.#connect()
    const timeouts = { barrierMs: 20_000 } // the parts of it are short for a machine that is busy
    const options = { transport, acceptRemoval, maxInFlightBytes, nowMs: this.#nowMs, timeouts }
    this.hub = createHubIn(PATIENT, options)
    this.hub.on('error', ({ code }) => this.#sight.tellError(code)) // a stream's, too, when it has ended
    return this
  }

  /** Gives what was seen since the last time, with every ledger. */
  look(): object {
    const streams = this.#opened.map(({ label, stream }) => [
      label,
      { ...countsOf(stream.ledger()), available: stream.closed ? 'closed' : stream.budget().available },
    ])
    return {
      ...this.#sight.take(),
      ledger: this.#total(this.hub.ledger()),
      streams: Object.fromEntries(streams),
    }
  }

  /** Does what a step says, within one tick where it publishes. */
  async do(step: Step): Promise<void> {
    const of = step.stream
    switch (step.act) {
      case 'subscribe':
        return this.#subscribe(step)
      case 'unsubscribe':
        return this.#readers.splice(step.which % (this.#readers.length + 1), 1)[0]?.stop()
      case 'publish':
        return this.publish(of, step.publishes, step.ending)
      case 'restart':
        return this.#restart(of, step.lastWords, step.firstWords)
      case 'expire':
        return this.#expire(this.stream(of))
      case 'tap':
        return this.#tap()
      case 'endTap':
        return this.#endTap?.()
      case 'jumpClock':
        this.#skewMs = 10_000 // further than maxAgeMs; once, so that the delays after it stay steady and unbelieved
        return
      case 'close':
      case 'remove':
        return this.stream(of)[step.act]()
    }
  }

  publish(of: number, publishes: readonly Publish[], ending = 'nothing'): void {
    const stream = this.stream(of)
    const abort = new AbortController()
    for (const publish of publishes) this.#publish(stream, publish, abort.signal)
    if (ending === 'abort') abort.abort()
    else if (ending === 'close' || ending === 'remove') stream[ending]()
  }

  /** How many stand in the stream's line, if time lets them out. */
  waiting(of: number): number {
    const { limit } = this.#optionsOf(of)
    const isStill = limit === false || limit?.ratePerSecond === 0
    return isStill || this.hub.status === 'closed' ? 0 : this.stream(of).ledger().waiting
  }

  /** Resolves when one or more of them have gone out. */
  async advanced(of: number, patience: AbortSignal): Promise<void> {
    for (const before = this.waiting(of); this.waiting(of) === before; )
      await sleep(1, undefined, { signal: patience })
  }

  stream(of: number): Stream<Data, Data> {
    const { hasSchema, ...options } = this.#optionsOf(of)
    const stream = this.hub.stream<Data, Data>(
      `d${this.#plan.seed}-${of}`,
      hasSchema ? { ...options, schema } : options,
    ) as Stream<Data, Data>
    if (!this.#opened.some((opened) => opened.stream === stream)) this.#note(of, stream)
    return stream
  }

  /** Lets each iterator give its next message. */
  read(): void {
    for (const reader of this.#readers) reader.next?.()
  }

  #optionsOf(of: number): StreamPlan['options'][number] {
    return (this.#plan.streams[of] as StreamPlan).options[this.#place] as StreamPlan['options'][number]
  }

  #note(of: number, stream: Stream<Data, Data>): void {
    const label = `stream ${of}, number ${this.#opened.length}`
    this.#opened.push({ label, of, stream })
    stream.on('refused', ({ code }) => this.#sight.tell(`${label} refused ${code}`))
    stream.on('lost', ({ reason, count }) => this.#sight.tell(`${label} lost ${reason}`, count))
    stream.on('removed', ({ reason, isLocal }) => this.#sight.tell(`${label} ${reason} ${isLocal}`))
    stream.on('error', ({ code }) => this.#sight.tellError(code))
  }

  #publish(
    stream: Stream<Data, Data>,
    { n, verb, flaw, key, hasSignal }: Publish,
    signal: AbortSignal,
  ): void {
    const data = DATA[flaw]({ n, by: this.#place })
    const say = (error: unknown) =>
      RivuletError.is(error) ? `${error.code} ${error.retryAfterMs ?? ''}` : String(error)
    try {
      if (verb === 'publishWhenReady') {
        stream.publishWhenReady(data, hasSignal ? { signal } : {}).then(
          () => this.#sight.tell(`${n} goes out`),
          (error) => this.#sight.tell(`${n} ${say(error)}`),
        )
      } else if (verb === 'publishLatest')
        this.#sight.outcomes[n] = stream.publishLatest(data, { key }) ? 'ok' : 'kept'
      else if (verb === 'subject') stream.subject.next(data)
      else if (verb === 'publish') this.#sight.outcomes[n] = stream.publish(data) && 'ok'
      else {
        const result = stream.tryPublish(data)
        this.#sight.outcomes[n] = result.ok ? 'ok' : say(result.error)
      }
    } catch (error) {
      this.#sight.outcomes[n] = say(error)
    }
  }

  #subscribe({ stream: of, manner, behaviour }: Extract<Step, { act: 'subscribe' }>): void {
    const stream = this.stream(of)
    const name = `subscriber ${this.#subscribed++}`
    const hear = (message: Message<Data>) => this.#sight.hear(name, message)
    if (manner === 'observes') {
      const observer = stream.messages$.subscribe(hear)
      this.#readers.push({ of, stop: () => observer.unsubscribe() })
    } else if (manner === 'iterates') {
      const iterator = stream.iterate({ buffer: 2 })
      const next = () => void iterator.next().then(({ value }) => value && hear(value))
      this.#readers.push({ of, stop: () => void iterator.return?.(), next })
    } else {
      const leave = () => subscription.unsubscribe()
      const react = (message: Message<Data>) => this.#react(stream, behaviour, message, leave)
      const subscription = stream.subscribe((message) => {
        hear(message)
        return react(message)
      })
      this.#readers.push({ of, stop: leave })
    }
  }

  #react(
    stream: Stream<Data, Data>,
    behaviour: Behaviour,
    { data }: Message<Data>,
    leave: () => void,
  ): unknown {
    if (behaviour === 'throws') throw new Error('thrown')
    if (behaviour === 'rejects') return Promise.reject(new Error('rejected'))
    if (behaviour === 'answers' && data.answers === undefined) {
      stream.tryPublish({ answers: data.n, by: this.#place })
    }
    if (behaviour === 'leaves') leave()
    if (behaviour === 'closes') stream.close()
    if (behaviour === 'removes') stream.remove()
    return undefined
  }

  /** The counts of a hub's ledger, without frames that came after a topic was left: whether they did is chance. */
  #total(ledger: Ledger): object {
    const asked =
      sumOfLedgers(this.#opened.map(({ stream }) => stream.ledger())).get('dropped.notJoined') ?? 0
    const received = ledger.received - ledger.dropped.notJoined + asked
    return countsOf({ ...ledger, received, dropped: { ...ledger.dropped, notJoined: asked } })
  }

  /** What is confirmed when the hub closes reaches the others; what is published before it is up does not. */
  async #restart(of: number, lastWords: readonly Publish[], firstWords: readonly Publish[]): Promise<void> {
    for (const reader of this.#readers) reader.stop()
    this.#endTap?.()
    this.publish(of, lastWords)
    await this.hub.flush()
    this.#sight.tell(`closed with ${JSON.stringify(this.#total(await this.hub.close()))}`)
    for (const { label, stream } of this.#opened)
      this.#sight.tell(`${label} ends with ${JSON.stringify(countsOf(stream.ledger()))}`)
    this.#readers = []
    this.#opened = []
    await this.open()
    this.publish(of, firstWords)
  }

  async #expire(stream: Stream<Data, Data>): Promise<void> {
    stream.setTtl(1)
    while (!stream.closed) await sleep(20)
  }

  async #tap(): Promise<void> {
    if (this.#endTap !== undefined) return
    const tap = this.hub.tap((message, stream) =>
      this.#sight.hear(`tap of ${stream}`, message as Message<Data>),
    )
    const end = () => {
      tap.unsubscribe()
      this.#sight.tell(`tap ends with ${JSON.stringify(countsOf(tap.ledger()))}`)
      this.#endTap = undefined
    }
    this.#endTap = end
    await tap.ready.catch(end)
  }
}

function countsOf(ledger: object): object {
  return Object.fromEntries([...flatten(ledger)].filter(([, count]) => count !== 0))
}
