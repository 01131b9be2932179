import type { Topic } from 'rivulet'

/** One post: frames, a barrier's question, its answer, or the end of a transport. */
export type Post = FramesPost | AskPost | AnswerPost | EndPost

/** The id of a transport; the number of the post, from 1; then each topic followed by its frame. */
export type FramesPost = readonly [from: string, nth: number, ...frames: (Topic | Uint8Array | string)[]]

/** Asks every other transport to answer once it has read every post before this one. */
export interface AskPost {
  /** The id of the asking transport. */
  readonly ask: string
  /** The position of the asking transport's last post. */
  readonly position: number
  /** The number of posts with frames it has made. */
  readonly posts: number
}

/** Answers one ask. */
export interface AnswerPost {
  /** The id of the answering transport. */
  readonly answer: string
  /** The id of the asking transport. */
  readonly to: string
  /** The position of the ask. */
  readonly position: number
  /** The number of posts with frames that the answering transport has made. */
  readonly posts: number
  /** The number of the asking transport's posts with frames that it missed. */
  readonly missed: number
}

/** Announces that a transport has closed and answers no more. */
interface EndPost {
  /** The id of the closing transport. */
  readonly end: string
}

/** Reads a value from a channel; any program may post on it, so `undefined` unless a transport posted it. */
export function readPost(data: unknown): Post | undefined {
  if (Array.isArray(data)) return isFrames(data) ? data : undefined
  const { ask, answer, to, end, position, posts, missed } = (data ?? {}) as Record<string, unknown>
  if (isId(end)) return { end }
  if (!isCount(position) || !isCount(posts)) return undefined
  if (isId(ask)) return { ask, position, posts }
  return isId(answer) && isId(to) && isCount(missed) ? { answer, to, position, posts, missed } : undefined
}

const ID_LENGTH = 32

/** Makes a unique id of a transport. */
export function makeId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_LENGTH / 2))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length === ID_LENGTH
}

function isFrames(post: readonly unknown[]): post is FramesPost {
  if (post.length % 2 !== 0 || !isId(post[0]) || !isCount(post[1])) return false
  return post.every((each, index) => index < 2 || (index % 2 === 0 ? isText(each) : isFrame(each)))
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isFrame(value: unknown): value is Uint8Array | string {
  // Bytes in shared memory could change while they are checked.
  return isText(value) || (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer)
}
