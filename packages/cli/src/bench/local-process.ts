import { setTimeout as delay } from 'node:timers/promises'
import { sumOf } from '../base/sum.ts'
import { until } from '../base/until.ts'
import { openBareClient } from './bare-clients.ts'
import { type BenchClient, sumOfCounts } from './bench-client.ts'
import { Durations } from './durations.ts'
import { ConfirmedFlow, type Flow, FREE_FLOW, ReceivedFlow } from './flow.ts'
import type { BenchData } from './payload.ts'
import { type BenchProcess, type ProcessOrder, type ProcessReport, receiversOf } from './process-order.ts'
import { type Published, Publisher } from './publisher.ts'
import { Receiver } from './receiver.ts'
import { openRivuletClient } from './rivulet-client.ts'

/** The most unconfirmed bytes and messages at a time. */
const CONFIRMED_WINDOW = { bytes: 2 ** 21, most: 16_384, least: 64 }
/** The most messages in flight. Mosquitto queues 1000 for one subscriber, and drops further ones. */
const RECEIVED_WINDOW = { bytes: 2 ** 20, most: 512, least: 16 }
const REPORTS_A_WINDOW = 8
/** Polls without an arrival, five seconds, after which missing messages count as lost. */
const MAX_IDLE_POLLS = 250
const POLL_MS = 20

/** One process's part of the bench. */
export class LocalBenchProcess implements BenchProcess {
  readonly #order: ProcessOrder
  readonly #signal: AbortSignal
  readonly #progress: (receiver: string, count: number) => void
  readonly #clients: BenchClient[] = []
  readonly #publishers: Publisher[] = []
  readonly #receivers: Receiver[] = []
  readonly #latencies = new Durations()
  #published: Published[] = []
  #received: ReceivedFlow | undefined

  /** `progress` receives each receiver's count of messages. */
  constructor(order: ProcessOrder, signal: AbortSignal, progress: (receiver: string, count: number) => void) {
    this.#order = order
    this.#signal = signal
    this.#progress = progress
    if (order.receivers.length > 0)
      this.#received = new ReceivedFlow(windowOf(order, RECEIVED_WINDOW), order.receivers)
  }

  async open(): Promise<void> {
    const { isPaired, publishers } = this.#order
    if (isPaired) {
      for (let index = 0; index < publishers; index++) await this.#openPair(index)
      return
    }
    for (const receiver of receiversOf(this.#order)) await this.#openReceiver(receiver)
    for (let index = 0; index < publishers; index++) await this.#openPublisher()
  }

  async run(): Promise<void> {
    const { warmupMs, forMs, publishers } = this.#order
    if (publishers === 0) return this.#listen(forMs)
    const running = this.#publishers.map((publisher) => publisher.run(warmupMs, forMs, this.#signal))
    this.#published = await Promise.all(running)
  }

  acknowledge(receiver: string, count: number): void {
    this.#received?.acknowledge(receiver, count)
  }

  async finish(): Promise<ProcessReport> {
    const { publishers } = this.#order
    // A process that receives from publishers elsewhere has no end but that of its time.
    if (publishers > 0 || this.#order.receivers.length > 0) await this.#arrivals()
    const counts = sumOfCounts(await Promise.all(this.#clients.splice(0).map((client) => client.close())))
    return {
      published: this.#published,
      arrived: this.#receivers.map((receiver) => receiver.arrived()),
      publishedInAll: sumOf(this.#publishers.map(({ count }) => count)),
      arrivedInAll: sumOf(this.#receivers.map(({ count }) => count)),
      calls: this.#publishers.flatMap(({ calls }) => calls.counted()),
      latencies: this.#latencies.counted(),
      counts,
    }
  }

  stop(): void {
    for (const client of this.#clients.splice(0)) void client.close()
  }

  async #connect(): Promise<BenchClient> {
    const { contender, place } = this.#order
    const client = await (contender === 'bare'
      ? openBareClient(place)
      : openRivuletClient(place, this.#signal))
    this.#clients.push(client)
    return client
  }

  async #openReceiver(name: string): Promise<void> {
    const client = await this.#connect()
    const receiver = this.#receiver(name)
    for (const stream of this.#order.streams) await client.subscribe(stream, (data) => receiver.take(data))
  }

  async #openPublisher(): Promise<void> {
    const client = await this.#connect()
    this.#addPublisher(client, this.#order.streams)
  }

  /** Opens a pair on its own streams. For a round trip the subscriber publishes received messages on further ones. */
  async #openPair(index: number): Promise<void> {
    const { streams, isRoundTrip, name } = this.#order
    const own = streams.map((stream) => `${stream}-${name}-${index}`)
    const [near, far] = [await this.#connect(), await this.#connect()]
    const receiver = this.#receiver(`${name}-${index}`)
    const take = (data: BenchData) => receiver.take(data)
    for (const stream of own) {
      const back = `${stream}-back`
      if (isRoundTrip) await near.subscribe(back, take)
      await far.subscribe(stream, isRoundTrip ? far.publisher(back) : take)
    }
    this.#addPublisher(near, own)
  }

  #receiver(name: string): Receiver {
    const { isTimed } = this.#order
    const every = Math.ceil(windowOf(this.#order, RECEIVED_WINDOW) / REPORTS_A_WINDOW)
    const receiver = new Receiver(isTimed ? this.#latencies : undefined, every, (count) => {
      this.#progress(name, count)
    })
    this.#receivers.push(receiver)
    return receiver
  }

  #addPublisher(client: BenchClient, streams: readonly string[]): void {
    const { sizeBytes, ratePerSecond } = this.#order
    const publish = streams.map((stream) => client.publisher(stream))
    const flush = () => client.flush()
    const options = { publish, flush, flow: this.#flow(flush), sizeBytes, ratePerSecond }
    this.#publishers.push(new Publisher(options))
  }

  #flow(flush: () => Promise<void>): Flow {
    if (this.#order.ratePerSecond !== undefined) return FREE_FLOW
    return this.#received ?? new ConfirmedFlow(windowOf(this.#order, CONFIRMED_WINDOW), flush)
  }

  /** Listens for the given time, from the first message on. */
  async #listen(forMs: number): Promise<void> {
    await Promise.race([...this.#receivers.map(({ first }) => first), until(this.#signal)])
    await delay(forMs, undefined, { signal: this.#signal }).catch(() => {})
  }

  async #arrivals(): Promise<void> {
    const count = () => sumOf(this.#receivers.map((receiver) => receiver.count))
    const isDone = () => this.#receivers.every(({ ends }) => ends >= this.#order.streams.length)
    let [seen, idlePolls] = [count(), 0]
    // Counts polls, not time: after a suspension this process first has to read the arrived messages.
    while (!isDone() && idlePolls < MAX_IDLE_POLLS) {
      await delay(POLL_MS)
      idlePolls = count() > seen ? 0 : idlePolls + 1
      seen = count()
    }
  }
}

function windowOf({ sizeBytes }: ProcessOrder, { bytes, most, least }: typeof RECEIVED_WINDOW): number {
  return Math.max(least, Math.min(most, Math.floor(bytes / sizeBytes)))
}
