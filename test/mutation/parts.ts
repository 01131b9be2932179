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
 * try. Entries (`src/index*.ts`, `src/transport.ts`) are lists of names, which `test/packages` compares.
 */
export const CORE_TESTS = [
  'test/{stream,publish,deliver,send,receive,connection,model,base,laws}/**/*.test.ts',
  'test/{hub,hub-close,open-hub,open-hub-web,tap,diagnostics}.test.ts',
  'packages/memory/test/**/*.test.ts',
]
export const NOT_FOR_MUTANTS = [
  // Compiles types.
  'test/model/types.test.ts',
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
      'test/model/{ledger,options}.test.ts',
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
      'test/model/snapshot.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/model/data': {
    mutate: ['src/model/{snapshot,snapshot-type,built-ins,refusal,seal,canonical-json}.ts'],
    tests: [
      'test/model/{snapshot,snapshot-refusals,snapshot-size,built-ins,frame,errors}.test.ts',
      'test/laws/{snapshot,canonical-json}.property.test.ts',
    ],
  },
  'src/model/frame': {
    mutate: ['src/model/{frame,topic,message,origins,leaky-bucket}.ts'],
    tests: [
      'test/model/{frame,topic,message,leaky-bucket,options}.test.ts',
      'test/laws/{frame,topic,leaky-bucket}.property.test.ts',
      'test/base/environment.test.ts',
      'test/connection/prefixes.test.ts',
      'test/receive/{publishers,own-frames}.test.ts',
      'test/send/frames.test.ts',
      'test/diagnostics.test.ts',
    ],
  },
  'src/model/stream': {
    mutate: ['src/model/{options,schema,errors,report,ledger,stream-state,transport}.ts'],
    tests: [
      'test/model/{options,schema,errors,ledger,leaky-bucket}.test.ts',
      'test/stream/{stream,events,closed,signals}.test.ts',
      'test/deliver/delivery.test.ts',
      'test/receive/limit.test.ts',
      'test/{diagnostics,hub}.test.ts',
    ],
  },
  'src/stream': {
    mutate: ['src/stream/*.ts'],
    tests: [
      'test/stream/*.test.ts',
      'test/base/environment.test.ts',
      'test/model/options.test.ts',
      'test/connection/joins.test.ts',
    ],
  },
  'src/connection': {
    mutate: ['src/connection/*.ts'],
    tests: [
      'test/connection/*.test.ts',
      'test/send/outbox.test.ts',
      'test/receive/stepped-clocks.test.ts',
      'test/{tap,diagnostics}.test.ts',
    ],
  },
  'src/hub': {
    mutate: ['src/{hub,hub-options,opening,open-hub,open-hub-web,tap}.ts'],
    tests: [
      'test/{hub,hub-close,open-hub,open-hub-web,tap}.test.ts',
      'test/connection/*.test.ts',
      'test/model/options.test.ts',
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

const WEBSOCKET_TESTS = ['packages/websocket/test/**/*.test.ts']
/** The adapter for WebSockets in parts: what a change of its pages needs are the tests of pages. */
const WEBSOCKET: Readonly<Record<string, Pick<Part, 'mutate' | 'tests'>>> = {
  'packages/websocket/pages': {
    mutate: ['packages/websocket/src/pages/*.ts'],
    tests: ['packages/websocket/test/pages/*.test.ts', 'packages/websocket/test/options.test.ts'],
  },
  'packages/websocket/relay': {
    mutate: ['packages/websocket/src/{relay,base}/*.ts'],
    tests: [
      'packages/websocket/test/{relay,base}/*.test.ts',
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
    ...{ others: [], leastScore: 92 },
  }
}
