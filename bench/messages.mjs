/** The message of the targets: 53 bytes as JSON. */
const SMALL = { x: 123.5, y: 456, user: 'u-1234', t: 1732000000000 }
export const SMALL_BYTES = 53

// The number of different objects of one shape that a publisher uses in turn.
const VARIANTS = 8

/** Counts the bytes of a value's JSON. */
export function jsonBytes(value) {
  return Buffer.byteLength(JSON.stringify(value))
}

/** Returns a few messages of one shape and size in bytes, or variants of the user's own message. */
export function messagesOf(bytes, own) {
  return Array.from({ length: VARIANTS }, (_, index) =>
    own === undefined ? messageOf(bytes, index) : structuredClone(own),
  )
}

/** Makes a typical event of a service: small as in the targets, larger ones with readings and a note. */
function messageOf(bytes, index) {
  const small = { ...SMALL, y: 456 + index }
  if (bytes === SMALL_BYTES) return small
  const event = { ...small, note: '', readings: [] }
  while (jsonBytes(event) + 60 < bytes * 0.8) event.readings.push(reading(event.readings.length))
  const rest = bytes - jsonBytes(event)
  if (rest < 0) return { ...small, n: '0'.repeat(Math.max(0, bytes - SMALL_BYTES - 7)) }
  return { ...event, note: 'all quiet on the river '.repeat(Math.ceil(rest / 23)).slice(0, rest) }
}

function reading(index) {
  return { sensor: `s-${10 + index}`, value: 20.5 + index, ok: index % 7 !== 0 }
}

/** Messages of other shapes, by their special property. */
export const SHAPES = {
  'flat, 4 members': { ...SMALL },
  'flat, 40 members': Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`member${index}`, index * 1.5]),
  ),
  '100 numbers': { values: Array.from({ length: 100 }, (_, index) => index * 0.25) },
  '20 objects': { readings: Array.from({ length: 20 }, (_, index) => reading(index)) },
  '10 levels deep': nested(10),
  'long ASCII text': { text: 'the quick brown fox '.repeat(50) },
  'long text beyond ASCII': { text: 'жёлтая река 黄河 '.repeat(50) },
}

function nested(depth) {
  return depth === 0 ? { leaf: true } : { level: depth, inner: nested(depth - 1) }
}
