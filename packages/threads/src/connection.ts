import { RivuletError, type Topic, type TransportHost } from 'rivulet'
import { AskedTopics } from './asked-topics.ts'
import type { Channel } from './channel.ts'
import { type Missed, Others } from './others.ts'
import { type AskPost, type FramesPost, makeId, type Post, readPost } from './post.ts'

/** Interval between test posts while the channel opens. */
const TEST_AGAIN_MS = 50
/**
 * The most frames in one post. Frames of one turn share a post, which saves most of its 2 µs at either end when many
 * streams publish; and Deno silently drops posts when more than 255 wait for a thread.
 */
const FRAMES_IN_POST = 64
const BYTES_IN_POST = 256 * 1024

/**
 * One channel from its opening to its end, shared by all topics of a bus: each barrier, `open` and `close` waits for one
 * queue, a publisher needs no channel for each topic, and a join costs nothing. In return a thread reads the frames of
 * topics that it has not joined, at about 2 µs a frame; 2 000 channels would take 35 ms to open, and each barrier 2 000
 * posts.
 */
export class Connection {
  readonly #id = makeId()
  readonly #channel: Channel
  readonly #host: TransportHost
  readonly #joined = new Set<Topic>()
  /** The common prefix of the topics of the watched hub, if any. */
  #watched: { readonly beginning: string } | undefined
  readonly #others = new Others()
  // Grows with each post by its bytes and one. Positions order asks and measure how far behind another transport is.
  #position = 0
  // Number of posts with frames. The others count them too, since a runtime may drop posts.
  #posts = 0
  readonly #askedTopics = new AskedTopics()
  // Topics sent on since the last ask.
  #topics = new Set<Topic>()
  // While true the host may be called: from the end of `open` to `down` or `close`.
  #live = false
  #isDropped = false
  // Frames of this turn, not posted yet, with their topics.
  #frames: (Topic | Uint8Array | string)[] = []
  #frameBytes = 0
  #opening: { readonly resolve: () => void; readonly reject: (cause: unknown) => void } | undefined

  constructor(channel: Channel, host: TransportHost) {
    this.#channel = channel
    this.#host = host
    channel.unref?.()
    channel.addEventListener('message', ({ data }) => this.#take(readPost(data)))
    channel.addEventListener('messageerror', () => this.#unreadable())
    channel.addEventListener('close', () => this.#down(new Error('the channel ended')))
  }

  /**
   * Resolves once the channel delivers posts: a second channel of this thread posts a test until the first one receives
   * it. Every other transport receives it too, and answers; from then on they know each other. Rejects, and has ended, on
   * abort and when closed meanwhile.
   */
  async open(makeTester: () => Channel, signal: AbortSignal): Promise<void> {
    let tester: Channel | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    const test = () => {
      timer = setTimeout(test, TEST_AGAIN_MS)
      tester?.postMessage({ ask: this.#id, position: this.#position, posts: this.#posts } satisfies Post)
    }
    const abort = () => this.#drop(signal.reason)
    signal.addEventListener('abort', abort)
    try {
      tester = makeTester()
      tester.unref?.()
      await new Promise<void>((resolve, reject) => {
        this.#opening = { resolve, reject }
        test()
      })
      this.#live = !this.#isDropped
    } catch (cause) {
      this.#drop(cause)
      throw cause
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      tester?.close()
      this.#opening = undefined
    }
  }

  /** The number of other transports known on the bus. */
  get others(): number {
    return this.#others.size
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#live) return 'offline'
    if (this.#frames.length === 0) queueMicrotask(() => this.#postFrames())
    this.#topics.add(topic)
    this.#frames.push(topic, alone(frame))
    this.#frameBytes += frame.length
    const isFull = this.#frames.length === 2 * FRAMES_IN_POST || this.#frameBytes >= BYTES_IN_POST
    return isFull && !this.#postFrames() ? 'offline' : 'sent'
  }

  /** Joins a topic. The channel delivers every topic already, so the join takes effect at the call. */
  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    this.#assertLive(signal)
    this.#joined.add(topic)
    await undefined
    if (signal.aborted) this.#joined.delete(topic)
    signal.throwIfAborted()
  }

  /** Hands over all frames of a hub from the call on; the channel delivers them already. */
  async watch(hub: string, signal: AbortSignal): Promise<void> {
    this.#assertLive(signal)
    const watched = { beginning: `rivulet/${hub}/` }
    this.#watched = watched
    const end = () => {
      if (this.#watched === watched) this.#watched = undefined
    }
    signal.addEventListener('abort', end)
    await undefined
    signal.throwIfAborted()
  }

  leave(topic: Topic): void {
    this.#joined.delete(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#live || !this.#ask()) throw new Error('the channel is closed')
    await this.#others.caughtUp(this.#position, signal)
  }

  /** Closes once the others have read every frame sent, or when `signal` aborts. Call again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#opening !== undefined) return this.#drop(new Error('closed while it opened'))
    if (this.#live) this.#ask()
    this.#live = false
    await this.#others.caughtUp(this.#position, signal).catch(() => {})
    this.#drop(new Error('the transport was closed'))
  }

  #assertLive(signal: AbortSignal): void {
    signal.throwIfAborted()
    if (!this.#live) throw new Error('the channel is closed')
  }

  #ask(): boolean {
    const isPosted = this.#postFrames()
    const position = this.#position + 1
    this.#askedTopics.add(position, this.#topics, this.#others.allAnswered)
    this.#topics = new Set()
    return isPosted && this.#post({ ask: this.#id, position, posts: this.#posts }, 0)
  }

  #postFrames(): boolean {
    const [frames, bytes] = [this.#frames, this.#frameBytes]
    this.#frames = []
    this.#frameBytes = 0
    return frames.length === 0 || this.#post([this.#id, ++this.#posts, ...frames], bytes)
  }

  /** Returns whether the post was accepted by the channel. */
  #post(post: Post, bytes: number): boolean {
    if (this.#isDropped) return false
    this.#position += bytes + 1
    try {
      this.#channel.postMessage(post)
      return true
    } catch (cause) {
      this.#down(cause)
      return false
    }
  }

  #take(post: Post | undefined): void {
    if (post === undefined || this.#isDropped) return
    if (isFrames(post)) this.#receiveAll(post)
    else if ('end' in post) this.#others.ended(post.end)
    else if ('ask' in post) this.#answer(post)
    else if (post.to === this.#id) this.#doubt(this.#others.answered(post))
  }

  #receiveAll(post: FramesPost): void {
    this.#others.heard(post[0], post[1])
    for (let index = 2; index < post.length; index += 2) {
      const [topic, frame] = [post[index] as Topic, post[index + 1] as Uint8Array | string]
      if (this.#joined.has(topic)) this.#handOver('receive', topic, frame)
      if (this.#watched !== undefined && topic.startsWith(this.#watched.beginning))
        this.#handOver('watched', topic, frame)
    }
  }

  #handOver(to: 'receive' | 'watched', topic: Topic, frame: Uint8Array | string): void {
    if (!this.#live) return
    try {
      this.#host[to](topic, frame)
    } catch (cause) {
      this.#host.error(to === 'receive' ? topic : undefined, faultOf('A frame was not taken', cause))
    }
  }

  #answer({ ask: to, position, posts }: AskPost): void {
    if (to === this.#id) return this.#opening?.resolve()
    const missed = this.#others.met(to, posts, this.#position)
    this.#post({ answer: this.#id, to, position, posts: this.#posts, missed }, 0)
  }

  /** Reports posts that another transport missed; without a topic when their topics are forgotten. */
  #doubt(lost: Missed | undefined): void {
    if (lost === undefined || !this.#live) return
    const advice = 'more waited for it than this runtime keeps; await flush more often'
    const message = `${lost.missed} posts never came to another thread: ${advice}.`
    const error = new RivuletError('TRANSPORT_FAILED', message)
    const topics = this.#askedTopics.between(lost.after, lost.upTo)
    for (const topic of topics.size > 0 ? topics : [undefined]) this.#host.error(topic, error)
  }

  #unreadable(): void {
    if (this.#live) this.#host.error(undefined, faultOf('A post could not be read', undefined))
  }

  #down(cause: unknown): void {
    if (this.#live) this.#host.down(cause instanceof Error ? cause : new Error(String(cause)))
    this.#live = false
    this.#drop(cause)
  }

  #drop(cause: unknown): void {
    if (this.#isDropped) return
    this.#isDropped = true
    this.#opening?.reject(cause)
    this.#others.clear(cause)
    try {
      this.#channel.postMessage({ end: this.#id } satisfies Post)
    } catch {
      // The channel has ended already.
    }
    this.#channel.close()
  }
}

function isFrames(post: Post): post is FramesPost {
  return Array.isArray(post)
}

/** Copies a view out of a larger buffer, all of which a channel would copy. */
function alone(frame: Uint8Array | string): Uint8Array | string {
  return typeof frame === 'string' || frame.byteLength === frame.buffer.byteLength ? frame : frame.slice()
}

function faultOf(what: string, cause: unknown): RivuletError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new RivuletError('TRANSPORT_FAILED', `${what} from the channel${reason}.`, { cause })
}
