import { RivuletError } from '../errors/errors.ts'

/**
 * Names one stream on every transport: `rivulet/<hub>/<stream>`, each part percent-encoded so that only
 * `[A-Za-z0-9_-]` and upper-case `%XX` remain. Only the core makes topics, so no name reaches a broker as a
 * wildcard, a separator or a control character. MQTT uses it as it is, NATS replaces `/` by `.`.
 */
export type Topic = string & { readonly '~topic': true }

// Twilio Sync keeps this form for its own identifiers; a name of that form would look like one.
const SID_FORM = /^[A-Z]{2}[a-f0-9]{32}$/
const HUB_NAME = /^[A-Za-z0-9_-]{1,64}$/
const LONE_SURROGATE = /\p{Surrogate}/u
// Characters that `encodeURIComponent` leaves alone although it is outside `[A-Za-z0-9_-]`.
const LEFT_BARE = /[.!~*'()]/g

/** Builds the topic of a stream. Injective: two different pairs of names never share a topic. */
export function topicOf(hubName: string, streamName: string): Topic {
  const name = encodeURIComponent(streamName).replace(LEFT_BARE, percentEncoded)
  return `rivulet/${hubName}/${name}` as Topic
}

/** Reads the hub's name back from a topic that {@link topicOf} made. */
export function hubNameOf(topic: Topic): string {
  return topic.slice(topic.indexOf('/') + 1, topic.lastIndexOf('/'))
}

/**
 * Returns a text as a topic when {@link topicOf} could have made it, `undefined` for any other: for a transport that
 * receives topics from untrusted clients.
 */
export function readTopic(text: string): Topic | undefined {
  const hubName = hubNameOf(text as Topic)
  const name = nameIn(text)
  return HUB_NAME.test(hubName) && name !== undefined && topicOf(hubName, name) === text
    ? (text as Topic)
    : undefined
}

/** Returns the stream's name in a text that may be a topic; `undefined` if it is none. */
export function nameIn(text: string): string | undefined {
  try {
    return checkStreamName(streamNameOf(text as Topic))
  } catch {
    return undefined
  }
}

/** Reads the stream's name back from a topic that {@link topicOf} made. */
export function streamNameOf(topic: Topic): string {
  return decodeURIComponent(topic.slice(topic.lastIndexOf('/') + 1))
}

/** Returns `name`. Throws `INVALID_NAME` unless it is 1–320 UTF-16 units of well-formed Unicode that do not look like a sid. */
export function checkStreamName(name: unknown): string {
  if (typeof name !== 'string') throw invalidName(`A stream name is a string, not ${typeof name}.`)
  if (name.length < 1 || name.length > 320) {
    const advice = name.length === 0 ? 'name it' : 'shorten it'
    throw invalidName(`A stream name has 1 to 320 UTF-16 units, this one has ${name.length}; ${advice}.`)
  }
  if (LONE_SURROGATE.test(name)) {
    throw invalidName('The stream name has a lone surrogate; pass well-formed Unicode.')
  }
  if (SID_FORM.test(name)) throw invalidName(`"${name}" has the form of a sid; choose another name.`)
  return name
}

/** Returns `name`. Throws `INVALID_NAME` unless it is 1–64 characters of `[A-Za-z0-9_-]`. */
export function checkHubName(name: unknown): string {
  if (typeof name === 'string' && HUB_NAME.test(name)) return name
  // The name is not shown: in a URL it may be a piece of a password that contains a bare `?name=`.
  throw invalidName('A hub name is 1 to 64 characters of A-Z a-z 0-9 _ -; choose another one.')
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function invalidName(message: string): RivuletError {
  return new RivuletError('INVALID_NAME', message)
}
