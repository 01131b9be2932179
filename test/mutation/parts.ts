/** A part of the source that is mutated by itself, and the tests that stand closest to it. */
export interface Part {
  /** A path or a pattern below the root, as `src/publish/*.ts`. */
  readonly mutate: readonly string[]
  /** Run first, for every mutant. */
  readonly tests: readonly string[]
  /** What they let live is tried against these, too. */
  readonly others: readonly string[]
  /** How many have to be found, in per cent of those that make a difference. */
  readonly leastScore: number
}

/**
 * The tests of the core. None starts a broker or another program, and none reads the source as text: an instrumented file
 * looks different. `src/testing` is not mutated: it is itself a test suite, which the wrong transports of `test/support`
 * try. Entries (`src/index*.ts`, `src/tap.ts`, `src/adapter/index.ts`) are lists of names, which `test/packages` compares.
 */
export const CORE_TESTS = [
  'test/{adapter,hub,tap,stream,publish,deliver,send,receive,connection,state,message,errors,base,laws}/**/*.test.ts',
  'test/diagnostics.test.ts',
  'packages/memory/test/**/*.test.ts',
]
export const NOT_FOR_MUTANTS = [
  // Compiles types.
  'test/types.test.ts',
  // These count how much they saw, which needs their thousand runs.
  'test/laws/{duplicates,lateness,missed,staleness}.property.test.ts',
  // These measure memory, or run programs that are bundled from the source.
  'packages/*/test/**/{leaks,processes,chromium}.test.ts',
]

const CORE: Readonly<Record<string, Pick<Part, 'mutate' | 'tests'>>> = {
  'src/publish': {
    mutate: ['src/publish/*.ts'],
    tests: [
      'test/publish/*.test.ts',
      'test/state/{ledger,options}.test.ts',
      'test/stream/signals.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/receive': {
    mutate: ['src/receive/*.ts'],
    tests: [
      'test/receive/*.test.ts',
      'test/laws/{seen-numbers,inbox}.property.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/deliver': {
    mutate: ['src/deliver/*.ts'],
    tests: [
      'test/deliver/*.test.ts',
      'test/laws/{places,delivery}.property.test.ts',
      'test/stream/{teardown,signals,close,events,stream}.test.ts',
      'test/connection/{joins,failing-joins}.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/send': {
    mutate: ['src/send/*.ts'],
    tests: ['test/send/*.test.ts', 'test/connection/confirmations.test.ts', 'test/diagnostics.test.ts'],
  },
  'src/base': {
    mutate: ['src/base/*.ts'],
    tests: [
      'test/base/*.test.ts',
      'test/stream/{events,signals,stream}.test.ts',
      'test/deliver/{delivery,fan-out}.test.ts',
      'test/message/snapshot.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/message/data': {
    mutate: [
      'src/message/{snapshot,snapshot-type,built-ins,seal,canonical-json,path}.ts',
      'src/errors/refusal.ts',
    ],
    tests: [
      'test/message/{snapshot,snapshot-refusals,snapshot-size,built-ins,frame}.test.ts',
      'test/errors/errors.test.ts',
      'test/laws/{snapshot,canonical-json}.property.test.ts',
    ],
  },
  'src/message/frame': {
    mutate: ['src/message/{frame,topic,message,sid}.ts', 'src/state/{origins,leaky-bucket}.ts'],
    tests: [
      'test/message/{frame,topic,message}.test.ts',
      'test/state/{leaky-bucket,options}.test.ts',
      'test/laws/{frame,topic,leaky-bucket}.property.test.ts',
      'test/base/environment.test.ts',
      'test/connection/prefixes.test.ts',
      'test/receive/{publishers,own-frames}.test.ts',
      'test/send/frames.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/state': {
    mutate: [
      'src/state/{options,ledger,stream-state,receive-part,timeouts,clock-step}.ts',
      'src/message/schema.ts',
      'src/errors/{errors,report}.ts',
    ],
    tests: [
      'test/state/{options,ledger,leaky-bucket}.test.ts',
      'test/message/schema.test.ts',
      'test/errors/errors.test.ts',
      'test/stream/{stream,events,closed,signals}.test.ts',
      'test/deliver/delivery.test.ts',
      'test/receive/limit.test.ts',
      'test/{diagnostics,hub/hub}.test.ts',
    ],
  },
  'src/stream': {
    mutate: ['src/stream/*.ts'],
    tests: [
      'test/stream/*.test.ts',
      'test/base/environment.test.ts',
      'test/state/options.test.ts',
      'test/connection/joins.test.ts',
    ],
  },
  'src/connection': {
    mutate: ['src/connection/*.ts'],
    tests: [
      'test/connection/*.test.ts',
      'test/send/outbox.test.ts',
      'test/receive/stepped-clocks.test.ts',
      'test/{tap/tap,diagnostics}.test.ts',
    ],
  },
  'src/adapter': {
    mutate: ['src/adapter/*.ts'],
    tests: ['test/adapter/*.test.ts'],
  },
  'src/hub': {
    mutate: ['src/{hub,tap}/*.ts'],
    tests: [
      'test/{hub,tap}/*.test.ts',
      'test/connection/*.test.ts',
      'test/state/options.test.ts',
      'test/stream/{stream,events,closed,signals}.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'packages/memory': {
    mutate: ['packages/memory/src/*.ts'],
    tests: ['packages/memory/test/*.test.ts'],
  },
}

const ADAPTERS = ['mqtt', 'nats', 'redis', 'replay', 'threads']

const WEBSOCKET_TESTS = [
  'packages/websocket/test/**/*.test.ts',
  'packages/gateway/test/pages/{,relay/}*.test.ts',
]
/** Both ends of the protocol for pages, in parts: a change of the server's end needs the tests of pages only. */
const WEBSOCKET: Readonly<Record<string, Pick<Part, 'mutate' | 'tests'>>> = {
  'packages/gateway/pages': {
    mutate: ['packages/gateway/src/pages/*.ts'],
    tests: ['packages/gateway/test/pages/*.test.ts'],
  },
  'packages/gateway/relay': {
    mutate: ['packages/gateway/src/pages/relay/*.ts', 'packages/websocket/src/base/*.ts'],
    tests: [
      'packages/gateway/test/pages/relay/*.test.ts',
      'packages/websocket/test/base/*.test.ts',
      'packages/websocket/test/client/client.test.ts',
      'packages/websocket/test/options.test.ts',
    ],
  },
  'packages/websocket/client': {
    mutate: ['packages/websocket/src/client/*.ts'],
    tests: ['packages/websocket/test/client/*.test.ts', 'packages/websocket/test/options.test.ts'],
  },
}

export const PARTS: Readonly<Record<string, Part>> = Object.fromEntries([
  ...Object.entries(CORE).map(([name, part]) => [name, { ...part, others: CORE_TESTS, leastScore: 97 }]),
  ...ADAPTERS.map((name) => [`packages/${name}`, adapter(`packages/${name}`)]),
  ...Object.entries(WEBSOCKET).map(([name, part]) => [
    name,
    { ...part, others: WEBSOCKET_TESTS, leastScore: 92 },
  ]),
])

/** All that an adapter has is its own tests, on real brokers that these start. */
function adapter(folder: string): Part {
  return {
    mutate: [`${folder}/src/**/*.ts`],
    tests: [`${folder}/test/**/*.test.ts`],
    others: [],
    leastScore: 92,
  }
}
