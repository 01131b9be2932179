import type { Plant } from './fuzzing.ts'

/** A mistake for each target, which its law has to find. */
export const PLANTS: Readonly<Record<string, Plant>> = {
  'canonical-json': { file: '/src/model/canonical-json.ts', from: '[...keys].sort()', to: '[...keys]' },
  frame: { file: '/src/model/message.ts', from: " || !text.startsWith('TZ')", to: '' },
  gateway: {
    file: '/gateway/src/http/form.ts',
    from: "raw.includes('+') ? raw.replaceAll('+', ' ') : raw",
    to: 'raw',
  },
  inbox: {
    file: '/src/model/seal.ts',
    from: 'Object.freeze(value)\n    return mostBytes',
    to: 'return mostBytes',
  },
  'leaky-bucket': {
    file: '/src/model/leaky-bucket.ts',
    from: 'Math.max(this.#level, Math.min(this.#level + 1, ceiling))',
    to: 'Math.min(this.#level + 1, ceiling)',
  },
  'open-hub': { file: '/src/opening.ts', from: 'if (RivuletError.is(cause)) throw cause', to: 'throw cause' },
  'page-frame': {
    file: '/websocket/src/pages/canonical-json.ts',
    from: ': rank < otherRank',
    to: ': rank > otherRank',
  },
  'page-message': {
    file: '/websocket/src/base/protocol.ts',
    from: 'if (!(end <= bytes.length)) return undefined',
    to: '',
  },
  snapshot: { file: '/src/model/snapshot.ts', from: 'return value + 0 // -0 becomes 0', to: 'return value' },
  tokens: {
    file: '/gateway/src/access/token.ts',
    from: "return isTooLong ? 'tooLong'",
    to: "return isTooLong && !isTooLong ? 'tooLong'",
  },
  topic: { file: '/src/model/topic.ts', from: "/[.!~*'()]/g", to: "/[.!~'()]/g" },
  twilsock: {
    file: '/gateway/src/twilsock/frame.ts',
    from: 'if (!isLineBreak(bytes, headerEnd)) return undefined',
    to: '',
  },
  urls: { file: '/nats/src/url.ts', from: " || search.includes('@')", to: '' },
}
