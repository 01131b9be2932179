import type { Message, StreamIterator, Subscription } from 'rivulet'
import type { Observable } from 'rxjs'
import type { Chance } from './chance.ts'
import type { Data, StreamLife } from './stream-life.ts'

/** What a reader does with what it gets. */
export type Behaviour =
  | 'reads'
  | 'throws'
  | 'rejects'
  | 'passesOn'
  | 'leaves'
  | 'evicts'
  | 'closes'
  | 'removes'
  | 'opensAnother'
  | 'blocks'

/** How it listens. */
export type Manner = 'subscribes' | 'subscribesWithSignal' | 'observes' | 'observesBarely' | 'iterates'

const DEEPEST = 3

/** Somebody who listens to a stream, and checks what comes. */
export class Reader {
  readonly of: StreamLife
  /** Whether nothing may come any more. */
  isOver = false
  /** The place of the last message in the stream's one order. */
  place = -1
  /** Whether it was told that the stream is joined. */
  isReady = false
  readonly #behaviour: Behaviour
  readonly #chance: Chance
  readonly #manner: Manner
  readonly #abort = new AbortController()
  #stop = () => {}
  #stoppedMs = Infinity
  #subscription: Subscription | StreamIterator<Data> | undefined

  constructor(of: StreamLife, manner: Manner, behaviour: Behaviour, chance: Chance) {
    this.of = of
    this.#manner = manner
    this.#behaviour = behaviour
    this.#chance = chance
  }

  /** Whether it is called before a publish returns. */
  get isCalledAtOnce(): boolean {
    return this.#manner !== 'iterates'
  }

  /** Whether it may end its stream, or keep its process busy. */
  get isTroublesome(): boolean {
    return this.#behaviour !== 'reads'
  }

  /** Starts to listen; throws like `subscribe`. */
  start(): this {
    const { stream, readers } = this.of
    readers.add(this)
    this.of.listensFirst()
    try {
      this.#listen()
    } catch (error) {
      readers.delete(this)
      throw error
    }
    if (stream.closed) this.end()
    return this
  }

  /** Stops listening. */
  stop(): void {
    if (this.isOver) return
    this.#stoppedMs = this.of.life.network.world.time.nowMs
    this.end()
    this.#stop()
  }

  /** It has ended, by itself or with its stream. */
  end(): void {
    this.isOver = true
    const { readers, life, name } = this.of
    if (this.isCalledAtOnce) life.endedSignals.push(this.#abort.signal)
    if (readers.delete(this) && readers.size === 0) life.intake.heardOn(name).pause()
  }

  /** Asks to be told when the stream is joined; `isReady` shows it. RxJS has no such question. */
  askReady(): void {
    if (this.#subscription === undefined) this.isReady = true
    this.#subscription?.ready.then(
      () => this.#ready(),
      () => {},
    )
  }

  #ready(): void {
    if (this.isReady) return // it stays ready when the connection is lost
    this.isReady = true
    const { life, name } = this.of
    const isJoined = this.isOver || life.machine.isDead || life.hasJoined(name)
    life.check(isJoined, 'a reader that is ready has joined', () => name)
  }

  #listen(): void {
    const { stream } = this.of
    const take = (message: Message<Data>) => this.#take(message)
    if (this.#manner === 'iterates') return this.#iterate()
    if (this.#manner === 'observes' || this.#manner === 'observesBarely') {
      const observer = this.#manner === 'observes' ? { next: take } : take
      const observed = (stream.messages$ as Observable<Message<Data>>).subscribe(
        observer as (message: Message<Data>) => void,
      )
      this.#stop = () => observed.unsubscribe()
      return
    }
    const isSignalled = this.#manner === 'subscribesWithSignal'
    const subscription = stream.subscribe(take, isSignalled ? { signal: this.#abort.signal } : undefined)
    this.#stop = isSignalled ? () => this.#abort.abort() : () => subscription.unsubscribe()
    this.#subscription = subscription
  }

  #iterate(): void {
    const buffer = this.#chance.pick([1, 4, 256])
    const overflow = this.#chance.pick(['dropOldest', 'dropNewest', 'latest'] as const)
    const iterator = this.of.stream.iterate({ buffer, overflow, signal: this.#abort.signal })
    const isPolite = this.#chance.isHit(0.5)
    this.of.iterators.add(iterator)
    this.#subscription = iterator
    this.#stop = isPolite ? () => void iterator.return() : () => this.#abort.abort()
    void this.#readAll(iterator)
  }

  async #readAll(iterator: StreamIterator<Data>): Promise<void> {
    const { life } = this.of
    for await (const message of iterator) {
      if (this.#isStopped()) life.check(false, 'nothing after unsubscribing', () => message.sid)
      this.#moveTo(message)
      await life.pause(this.#chance.pick([0, 0, 5, 400]))
    }
    life.endedSignals.push(this.#abort.signal) // what it holds is discarded on abort until then
  }

  /** A message that `next` was given before may still come in that turn, also in a busy process; a held one, at its stream's end. */
  #isStopped(): boolean {
    return this.#stoppedMs < this.of.life.network.world.time.nowMs && !this.of.stream.closed
  }

  #take(message: Message<Data>): unknown {
    const { life } = this.of
    life.check(!this.isOver, 'nothing after unsubscribing', () => message.sid)
    this.#moveTo(message)
    return this.#behave(message)
  }

  #moveTo(message: Message<Data>): void {
    const place = this.of.placeOf(message)
    const law = 'one order, nothing twice'
    this.of.life.check(place > this.place, law, () => `${message.sid} at ${place} after ${this.place}`)
    this.place = place
  }

  #behave({ data }: Message<Data>): unknown {
    const { life, stream } = this.of
    const isRare = this.#chance.isHit(0.05)
    switch (this.#behaviour) {
      case 'throws':
      case 'rejects':
        return this.#fail()
      case 'passesOn':
        if (data.depth < DEEPEST && this.#chance.isHit(0.5))
          life.passOn(this.of, data.depth + 1, this.#chance)
        return undefined
      case 'leaves':
        if (isRare) this.stop()
        return undefined
      case 'evicts':
        if (isRare) this.#chance.pick([...this.of.readers]).stop()
        return undefined
      case 'closes':
        if (isRare) life.ends(this.of, () => stream.close())
        return undefined
      case 'removes':
        if (isRare) life.ends(this.of, () => stream.remove())
        return undefined
      case 'opensAnother':
        if (isRare && this.of.readers.size < 8 && !stream.closed)
          new Reader(this.of, 'subscribes', 'reads', this.#chance).start()
        return undefined
      case 'blocks':
        if (isRare) life.machine.block(this.#chance.between(1, 3_000))
        return undefined
      default:
        return undefined
    }
  }

  /** Throws now and then. RxJS keeps what its subscribers throw to itself. */
  #fail(): unknown {
    if (!this.#chance.isHit(0.3) || this.#manner === 'observes') return undefined
    if (this.#manner !== 'observesBarely') this.of.life.throws++
    if (this.#behaviour === 'rejects' && this.#manner !== 'observesBarely')
      return Promise.reject(new Error('later'))
    throw new Error('now')
  }
}
