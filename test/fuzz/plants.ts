import type { Plant } from './fuzzing.ts'

/** A mistake for each target, which its law has to find. */
export const PLANTS: Readonly<Record<string, Plant>> = {
  'canonical-json': { file: '/src/message/canonical-json.ts', from: '[...keys].sort()', to: '[...keys]' },
  frame: { file: '/src/message/sid.ts', from: " || !text.startsWith('TZ')", to: '' },
  gateway: {
    file: '/twilio/src/rest/form.ts',
    from: "raw.includes('+') ? raw.replaceAll('+', ' ') : raw",
    to: 'raw',
  },
  inbox: {
    file: '/src/message/seal.ts',
    from: 'Object.freeze(value)\n    return mostBytes',
    to: 'return mostBytes',
  },
  'leaky-bucket': {
    file: '/src/state/leaky-bucket.ts',
    from: 'Math.max(this.#level, Math.min(this.#level + 1, ceiling))',
    to: 'Math.min(this.#level + 1, ceiling)',
  },
  'open-hub': {
    file: '/src/hub/open.ts',
    from: 'reason}`)',
    to: 'reason}` + url)',
  },
  'page-frame': {
    file: '/gateway/src/pages/canonical-json.ts',
    from: ': rank < otherRank',
    to: ': rank > otherRank',
  },
  'page-message': {
    file: '/websocket/src/base/protocol.ts',
    from: 'if (!(end <= bytes.length)) return undefined',
    to: '',
  },
  snapshot: {
    file: '/src/message/snapshot.ts',
    from: 'return value + 0 // -0 becomes 0',
    to: 'return value',
  },
  tokens: {
    file: '/gateway/src/access/token.ts',
    from: "return isTooLong ? 'tooLong'",
    to: "return isTooLong && !isTooLong ? 'tooLong'",
  },
  topic: { file: '/src/message/topic.ts', from: "/[.!~*'()]/g", to: "/[.!~'()]/g" },
  twilsock: {
    file: '/twilio/src/twilsock/frame.ts',
    from: 'if (!isLineBreak(bytes, headerEnd)) return undefined',
    to: '',
  },
  urls: { file: '/src/adapter/servers.ts', from: "includes('@')", to: "includes('@@')" },
}
