import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import type { KvMirror } from './kv-mirror.ts'

const LONGEST_LOAD_MS = 10_000
// The client does not report that a watch ended silently, so the watch is checked this often.
const CHECK_EVERY_MS = 2000
const LONGEST_SILENCE_MS = 1000
const SHORTEST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** One run of the bucket's watch. */
interface Run {
  readonly bucket: KV
  readonly created: string
  /** The bucket's last revision before the run. */
  readonly lastRevision: number
  readonly entries: Awaited<ReturnType<KV['watch']>>
  isLoaded: boolean
  isOver: boolean
}

/**
 * Keeps a mirror current. Restarts the bucket's watch, with a full load, when it ends or falls silent, when the
 * connection comes back, and when the bucket was created again; creates the bucket again when it is gone.
 */
export class NatsWatch {
  readonly #connection: NatsConnection
  readonly #open: () => Promise<KV>
  readonly #mirror: KvMirror
  #epoch = ''
  /** Over as soon as the connection is lost. */
  #run: Run | undefined
  #isConnected = true
  #isClosed = false
  #endPause = () => {}
  #endRun = () => {}
  #loaded = () => {}

  constructor(connection: NatsConnection, open: () => Promise<KV>, mirror: KvMirror) {
    this.#connection = connection
    this.#open = open
    this.#mirror = mirror
  }

  /** The time of the bucket's creation, which is another one when it is created again. */
  get epoch(): string {
    return this.#epoch
  }

  get status(): 'up' | 'down' {
    return this.#run?.isLoaded ? 'up' : 'down'
  }

  /** Resolves when everything that the bucket holds now is in the mirror, or after ten seconds of loading. */
  async start(): Promise<void> {
    void this.#followConnection()
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve
    })
    const first = await this.#begin()
    // A stream that is not here by then is looked up in the bucket when it is asked for.
    const timer = setTimeout(this.#loaded, LONGEST_LOAD_MS)
    void this.#keep(first)
    await loaded
    clearTimeout(timer)
  }

  /** Checks now whether the watch still delivers everything. */
  check(): void {
    if (this.#run !== undefined) this.#endPause()
  }

  close(): void {
    this.#isClosed = true
    this.#end(this.#run)
    this.#endPause()
  }

  async #keep(first: Run): Promise<void> {
    let failures = 0
    for (let run: Run | undefined = first; !this.#isClosed; run = undefined) {
      try {
        if (this.#isConnected) run ??= await this.#begin()
        if (run !== undefined) await this.#untilOver(run)
      } catch {
        // The server may be away, or be without JetStream for now; the status shows it.
      }
      failures = run?.isLoaded ? 0 : failures + 1
      this.#end(run)
      await this.#pause(Math.min(SHORTEST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS))
    }
  }

  async #begin(): Promise<Run> {
    const bucket = await this.#open()
    const { streamInfo, values } = await bucket.status()
    const { created, state } = streamInfo
    this.#mirror.beginLoad(created !== this.#epoch)
    this.#epoch = created
    const entries = await bucket.watch()
    const run: Run = {
      bucket,
      created,
      lastRevision: state.last_seq,
      entries,
      isLoaded: false,
      isOver: false,
    }
    this.#run = run
    if (values === 0) this.#endLoad(run)
    void this.#follow(run)
    return run
  }

  async #follow(run: Run): Promise<void> {
    try {
      for await (const entry of run.entries) {
        if (run.isOver) return
        try {
          this.#mirror.watched(entry)
        } catch {
          // An unreadable entry must not stop the others.
        }
        // Not at the last revision from before: a key may have been written anew since, and come after it.
        if (entry.delta === 0 && !run.isLoaded) this.#endLoad(run)
      }
    } catch {
      // Restarted, as after any other end.
    } finally {
      this.#end(run)
    }
  }

  #endLoad(run: Run): void {
    this.#mirror.endLoad(run.lastRevision)
    run.isLoaded = true
    this.#loaded()
  }

  #untilOver(run: Run): Promise<void> {
    if (run.isOver) return Promise.resolve()
    const over = new Promise<void>((resolve) => {
      this.#endRun = resolve
    })
    return Promise.race([over, this.#supervise(run)])
  }

  /** Resolves when the watch has to be restarted. Rejects when the bucket can't be asked. */
  async #supervise(run: Run): Promise<void> {
    for (let firstRevision = 0; ; ) {
      await this.#pause(CHECK_EVERY_MS)
      if (run.isOver) return
      const { created, state } = (await run.bucket.status()).streamInfo
      if (run.isOver || created !== run.created) return
      const before = this.#mirror.revision
      const isCurrent = await this.#mirror.until(state.last_seq, LONGEST_SILENCE_MS)
      if (run.isOver || (!isCurrent && this.#mirror.revision === before)) return
      // Emptying the bucket leaves no marker for each key.
      if (isCurrent && state.first_seq !== firstRevision) this.#mirror.begins(state.first_seq)
      firstRevision = state.first_seq
    }
  }

  #end(run: Run | undefined): void {
    if (run === undefined || run.isOver) return
    run.isOver = true
    run.entries.stop()
    if (this.#run !== run) return
    this.#run = undefined
    this.#endRun()
    this.#endPause()
  }

  async #followConnection(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type !== 'disconnect' && type !== 'reconnect') continue
      this.#isConnected = type === 'reconnect'
      // Any entry may have been missed while the connection was lost.
      this.#end(this.#run)
      this.#endPause()
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
