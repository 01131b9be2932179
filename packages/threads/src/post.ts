import type { Topic } from 'rivulet'

/** One post: frames, a barrier's question, its answer, or the end of a transport. */
export type Post = FramesPost | AskPost | AnswerPost | EndPost

/** A topic and its frame, and so on, in turn. */
export type FramesPost = readonly (Topic | Uint8Array | string)[]

/** Asks every other transport to answer once it has taken everything that was posted before. */
interface AskPost {
  /** The id of the asking transport. */
  readonly ask: string
  /** How far the asking transport has posted. */
  readonly position: number
}

/** Answers one ask. */
interface AnswerPost {
  /** The id of the answering transport. */
  readonly answer: string
  /** The id of the asking transport. */
  readonly to: string
  /** The position of the ask. */
  readonly position: number
}

/** Says that a transport is closed and answers no more. */
interface EndPost {
  /** The id of the closing transport. */
  readonly end: string
}

/** Reads what came over a channel, on which anybody may post; `undefined` unless it is a post of a transport. */
export function readPost(data: unknown): Post | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  if (Array.isArray(data)) return isFrames(data) ? data : undefined
  const { ask, answer, to, end, position } = data as Record<string, unknown>
  if (isId(end)) return { end }
  if (typeof position !== 'number' || !Number.isSafeInteger(position)) return undefined
  if (isId(ask)) return { ask, position }
  return isId(answer) && isId(to) ? { answer, to, position } : undefined
}

const ID_LENGTH = 32

/** Makes an id that no other transport has. */
export function makeId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_LENGTH / 2))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length === ID_LENGTH
}

function isFrames(post: readonly unknown[]): post is FramesPost {
  return (
    post.length % 2 === 0 && post.every((each, index) => (index % 2 === 0 ? isText(each) : isFrame(each)))
  )
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isFrame(value: unknown): value is Uint8Array | string {
  // Bytes in shared memory could change while they are checked.
  return isText(value) || (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer)
}
