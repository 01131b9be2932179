import type { Ledger } from 'rivulet'

/** What a hostile peer has overheard. */
export interface Overheard {
  /** A frame of an honest publisher, as it was on the wire, and that publisher's origin. */
  readonly frame: string
  readonly origin: string
  /** The origin of the stream that is attacked. */
  readonly ownOrigin: string
  /** The most bytes that the broker takes in one frame. */
  readonly maxFrameBytes: number
}

/** Frames of one kind, and the one bucket in which each ends. */
export interface Attack {
  readonly name: string
  readonly bucket: keyof Ledger['dropped'] | 'delivered'
  frames(overheard: Overheard): readonly (Uint8Array | string)[]
}

const RANDOM_FRAMES = 10_000
const RANDOM_BYTES = 600
const ORIGINS = 1_000
/** What a receiver takes, whatever its own `maxBytes`. */
const MAX_INCOMING_BYTES = 320 * 1024
const FAR = [2 ** 53 - 1, 2 ** 50, 2 ** 40, 10_000_000, 1_000_000]

export const ATTACKS: readonly Attack[] = [
  { name: 'random bytes', bucket: 'malformed', frames: randomFrames },
  {
    name: 'truncated frames',
    bucket: 'malformed',
    frames: ({ frame }) => Array.from({ length: frame.length }, (_, length) => frame.slice(0, length)),
  },
  {
    name: 'oversized frames',
    bucket: 'malformed',
    frames: ({ maxFrameBytes }) =>
      [MAX_INCOMING_BYTES + 1, 500_000, maxFrameBytes].map((bytes) => message(bytes - EMPTY_BYTES)),
  },
  {
    name: 'data over the size of a message',
    bucket: 'tooLarge',
    frames: () => [4097, 5000, 200_000].map((bytes) => message(bytes - '{"x":""}'.length)),
  },
  { name: 'forged sids', bucket: 'malformed', frames: ({ origin }) => forgedSids(origin).map(withSid) },
  {
    name: 'numbers from the far future',
    bucket: 'malformed',
    frames: ({ origin }) => FAR.map((sequence) => withSid(sidOf(origin, sequence))),
  },
  {
    name: 'origins of our own hub',
    bucket: 'echo',
    frames: ({ ownOrigin }) => {
      const sid = sidOf(ownOrigin, 7)
      const sibling = sidOf(`${ownOrigin.slice(0, 12)}ffff`, 7)
      return [
        withSid(sid),
        `{"sid":"${sid}","data":{}}`,
        `[${withSid(sid)}]`,
        ` ${withSid(sid)} `,
        withSid(sibling),
        `{"removed":true,"sid":"${sibling}","t":0}`,
      ]
    },
  },
  { name: 'duplicated frames', bucket: 'duplicate', frames: ({ frame }) => Array(100).fill(frame) },
  {
    name: 'arrays of 100 000 entries',
    bucket: 'malformed',
    frames: () => ['0', '{}'].map((entry) => `[${Array(100_000).fill(entry).join(',')}]`),
  },
  { name: 'deep nesting', bucket: 'malformed', frames: deepFrames },
  { name: 'invalid UTF-8', bucket: 'malformed', frames: () => NOT_UTF_8.map(inMessage) },
  {
    // Clients differ in whether they strip it.
    name: 'a byte order mark',
    bucket: 'malformed',
    frames: ({ frame }) => [`\ufeff${frame}`, `\ufeff${message(1)}`, '\ufeff'],
  },
  {
    name: 'messages without an object',
    bucket: 'malformed',
    frames: () => [
      '{}',
      '[]',
      '{"sid":"TZ"}',
      ...NO_OBJECTS,
      ...NO_OBJECTS.map((data) => `{"data":${data}}`),
    ],
  },
  {
    name: 'numbers beyond a double',
    bucket: 'malformed',
    frames: () => ['1e400', '-1e400', '[1e999]'].map((value) => withMember(`"x":${value}`)),
  },
  {
    name: 'forged removals',
    bucket: 'malformed',
    frames: () => ['', ',"sid":null', ',"sid":"TZ"', ',"sid":["x"]'].map((sid) => `{"removed":true${sid}}`),
  },
  {
    name: 'keys that change a prototype',
    bucket: 'malformed',
    frames: () => ['"__proto__":{}', '"\\u005f_proto__":1', '"constructor":{"prototype":{}}'].map(withMember),
  },
  {
    name: 'times that are none',
    bucket: 'malformed',
    frames: ({ origin }) =>
      ['-1', '1e999', '"1"', 'null', '{}'].map(
        (t) => `{"data":{},"sid":"${sidOf(origin, 20_000)}","t":${t}}`,
      ),
  },
  {
    name: 'what is odd and yet a message',
    bucket: 'delivered',
    frames: ({ frame, ownOrigin }) => [
      // A further member may quote any sid.
      ...[JSON.parse(frame).sid, sidOf(ownOrigin, 1)].map((sid) => `{"data":{},"answers":"${sid}"}`),
      '{"data":{"x":1,"x":2}}',
      '{"data":{"x":18446744073709551616,"y":-0,"z":1e-400}}',
      '{"data":{},"version":2,"removed":false,"t":99}',
      ' {\r\n"data" : { } }\t',
    ],
  },
  {
    // Whoever may write may invent publishers; the honest one must not be forgotten over it.
    name: 'invented origins',
    bucket: 'delivered',
    frames: () =>
      Array.from({ length: ORIGINS }, (_, index) =>
        withSid(sidOf(`f${index.toString(16).padStart(15, '0')}`, 1 + index * 1e9)),
      ),
  },
  { name: 'duplicated frames after that', bucket: 'duplicate', frames: ({ frame }) => [frame, frame] },
]

const EMPTY_BYTES = message(0).length

const NO_OBJECTS = ['null', 'true', '7', '"data"', '[{}]']

const NOT_UTF_8 = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]

function message(padding: number): string {
  return `{"data":{"x":"${'x'.repeat(padding)}"}}`
}

function withSid(sid: string): string {
  return `{"data":{"n":1},"sid":"${sid}"}`
}

function withMember(member: string): string {
  return `{"data":{${member}}}`
}

function inMessage(bytes: readonly number[]): Uint8Array {
  return Buffer.concat([Buffer.from('{"data":{"x":"'), Buffer.from(bytes), Buffer.from('"}}')])
}

function sidOf(origin: string, sequence: number): string {
  return `TZ${origin}${sequence.toString(16).padStart(16, '0')}`
}

function forgedSids(origin: string): string[] {
  const number = '0'.repeat(16)
  return [
    '',
    'TZ',
    `TZ${origin}`,
    `TZ${origin}${number}`,
    `TZ${origin}0020000000000000`,
    `TZ${origin}ffffffffffffffff`,
    `TZ${origin.toUpperCase().replaceAll(/\d/g, 'A')}${number.replace('0', '1')}`,
    `tz${origin}0000000000000009`,
    `XX${origin}0000000000000009`,
    `TZ${origin}00000000000000091`,
    `TZ${origin}000000000000000g`,
    ` TZ${origin}0000000000000009`,
    `TZ${origin}0000000000000009\\n`,
  ]
}

function deepFrames(): string[] {
  const nested = (depth: number) => `{"data":{"x":${'['.repeat(depth)}${']'.repeat(depth)}}}`
  return ['['.repeat(100_000), '{"x":'.repeat(50_000), nested(100), nested(2_000), nested(100_000)]
}

/** Random bytes, the same in each run. */
function randomFrames(): Uint8Array[] {
  let state = 1
  const next = () => {
    // xorshift32, Marsaglia 2003.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  return Array.from({ length: RANDOM_FRAMES }, () => {
    return Uint8Array.from({ length: next() % RANDOM_BYTES }, () => next() & 255)
  })
}
