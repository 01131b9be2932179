import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scripts } from '../../package.json' with { type: 'json' }
import { type Broker, startMosquitto, startNats } from '../support/brokers.ts'
import {
  anchorsOf,
  brokenLinksOf,
  type DocumentedProgram,
  headingsOf,
  instrument,
  linksOf,
  programsOf,
  promisesOf,
  readDocument,
  scriptsNamedIn,
} from '../support/documentation.ts'
import { PublicNames } from '../support/public-names.ts'
import { startRedis } from '../support/redis-servers.ts'
import { prepareDocumented, typeErrorsOf } from '../support/run-documented.ts'
import { packageFolders, ROOT } from '../support/source-files.ts'

const entries = [
  'src/index.ts',
  'src/tap.ts',
  'src/adapter/index.ts',
  'src/adapter/transport.ts',
  'src/testing/index.ts',
  ...packageFolders().map((folder) => `${folder}/src/index.ts`),
  'packages/websocket/src/base/protocol.ts',
  'packages/otel/src/prometheus.ts',
  'packages/gateway/src/command-line.ts',
  'packages/gateway/src/protocol.ts',
  'packages/gateway/src/relay.ts',
  'packages/twilio/src/registry-nats.ts',
]
const docs = readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)
const manuals = ['README.md', ...docs, ...packageFolders().map((folder) => `${folder}/README.md`)]
const proofs = ['simulation', 'differential', 'fuzz', 'soak', 'mutation'].map(
  (name) => `test/${name}/README.md`,
)
const others = [...exampleReadmes(), ...proofs, 'CHANGELOG.md', 'bench/README.md']
const programs = manuals.flatMap((path) => programsOf(path, readDocument(path)))

function exampleReadmes(): string[] {
  const files = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })
  return files.filter((name) => name.endsWith('README.md')).map((name) => `examples/${name}`)
}

describe('the public names', () => {
  const names = new PublicNames(entries)

  test.each(entries)('of %s have doc comments, their members too', (entry) => {
    expect(names.undocumented(entry)).toEqual([])
  })

  test.each(entries)('of %s have no option that refuses an explicit undefined', (entry) => {
    expect(names.refusingUndefined(entry)).toEqual([])
  })

  test('include error codes, each with a heading in docs/errors.md, which has no other', () => {
    const codes = names.literalsOf('src/index.ts', 'ErrorCode')
    const headings = headingsOf(readDocument('docs/errors.md')).filter((heading) => /^[A-Z_]+$/.test(heading))
    expect(codes.length).toBeGreaterThan(0)
    expect(headings.sort()).toEqual(codes.sort())
  })

  test.each([
    ['DropReason', 'docs/promises.md'],
    ['LossReason', 'docs/promises.md'],
    ['HubStatus', 'docs/using.md'],
  ])('include %s, each literal of which %s explains', (name, path) => {
    const literals = names.literalsOf('src/index.ts', name)
    expect(literals.length).toBeGreaterThan(0)
    expect(literals.filter((literal) => !readDocument(path).includes(`| \`${literal}\` |`))).toEqual([])
  })

  test.each([
    ['StreamEvents', 'docs/using.md'],
    ['HubEvents', 'docs/using.md'],
    ['StreamOptions', 'docs/using.md'],
    ['HubOptions', 'docs/using.md'],
    ['IterateOptions', 'docs/using.md'],
    ['OpenOptions', 'docs/using.md'],
  ])('include %s, each member of which has a row in %s', (name, path) => {
    const members = names.membersOf('src/index.ts', name)
    expect(members.length).toBeGreaterThan(0)
    expect(members.filter((member) => !readDocument(path).includes(`| \`${member}\` |`))).toEqual([])
  })
})

describe('the documents', () => {
  test.each(manuals)('have %s', (path) => {
    expect(existsSync(join(ROOT, path))).toBe(true)
  })

  test.each([...manuals, ...others])('name scripts that exist: %s', (path) => {
    expect(scriptsNamedIn(readDocument(path)).filter((name) => !(name in scripts))).toEqual([])
  })

  test.each([...manuals, ...others])('link to files and headings that exist: %s', (path) => {
    expect(brokenLinksOf(path, readDocument(path))).toEqual([])
  })

  test('are all one click from the README', () => {
    const linked = linksOf('README.md', readDocument('README.md')).map((link) => link.split('#')[0])
    const wanted = manuals.filter((path) => path !== 'README.md')
    expect(wanted.filter((path) => !linked.includes(path))).toEqual([])
  })

  // What DESIGN 4 and 5 ask to be said, and what users looked for: nobody could find it out by reading types.
  test.each([
    [
      'the bound of the limiter',
      'docs/promises.md',
      'In any T seconds a stream admits at most `burst + ratePerSecond × T` messages',
    ],
    [
      'the bound of what a receiver lets in',
      'docs/promises.md',
      '`burst + max(1, burst / 4) + 1.001 × ratePerSecond × (T + 1.002 s)`',
    ],
    [
      'what a receiver lets in for certain',
      'docs/promises.md',
      'as long as no message is delayed by more than a second beyond another',
    ],
    ['that there is no fairness', 'docs/promises.md', 'Between publishers there is no fairness'],
    [
      'that a client that may write may forge',
      'docs/promises.md',
      'A client that may write to a topic may still forge messages',
    ],
    [
      'how topics are protected',
      'docs/promises.md',
      'give publish and subscribe permissions on `rivulet/<hub>/#`',
    ],
    [
      'what freezes remain',
      'docs/promises.md',
      'The first message of an unknown publisher, or of one that was silent for two minutes, may be old',
    ],
    [
      'what clock steps look like',
      'docs/promises.md',
      "A backlog on the publisher's side may be taken for a stepped clock",
    ],
    [
      'where a denied publish is told on Redis',
      'packages/redis/README.md',
      'A publish that the server denies counts as `unconfirmed`',
    ],
    ['what denials remain', 'docs/promises.md', 'drops a publish that its ACL denies, in silence'],
    ['how mosquitto counts them', 'docs/promises.md', 'so the message counts as `confirmed`'],
    ['what `missed` leaves out', 'docs/promises.md', '`missed` does not span joins'],
    [
      'what `missed` includes',
      'docs/promises.md',
      "messages that this process's own limiter dropped undecoded",
    ],
    ['what MQTT 3.1.1 does not tell', 'docs/promises.md', 'An MQTT 3.1.1 broker announces no size limit'],
    ['that the order of keys may differ', 'docs/promises.md', 'may differ in the order of keys'],
    [
      'that both sides need the same options',
      'docs/promises.md',
      "A receiver must have its publisher's options",
    ],
    [
      'how a foreign client writes',
      'docs/promises.md',
      '`{"data":{…}}` as UTF-8 JSON to `rivulet/<hub>/<stream>`',
    ],
    ['whom `remove` reaches', 'docs/using.md', 'the other processes that subscribe to it'],
    ['how a message is cloned', 'docs/using.md', 'Pass `message.toJSON()`'],
    [
      "what a schema's output shares",
      'docs/using.md',
      'Plain objects and arrays in it are copied and frozen',
    ],
    ['what a hub is called', 'docs/using.md', 'A hub without a name is called `default`'],
    ['how a loop without a socket ends', 'docs/operating.md', 'ends the process with exit code 13'],
    ['how to start without a broker', 'docs/operating.md', '`openHub(url, { wait: false })`'],
    ['how a join ends early', 'docs/transports.md', '`host.left(topic, cause)`'],
  ])('say %s, in %s', (_, path, sentence) => {
    expect(readDocument(path).replaceAll(/\s+/g, ' ')).toContain(sentence)
  })

  test('show code that compiles', () => {
    expect(typeErrorsOf(programs)).toEqual([])
  })
})

const startFleetRedis = () => startRedis({ config: 'user fleet on >secret allchannels +@all' })

describe.runIf(programs.length > 0)('the documented program', () => {
  // The ports that the documents show are taken for those of brokers that run for this test.
  const shown = {
    '127.0.0.1:4222': startNats,
    '127.0.0.1:1883': startMosquitto,
    '127.0.0.1:6379': startFleetRedis,
  }
  const brokers = new Map<string, Broker>()
  let runs: ReturnType<typeof prepareDocumented>

  beforeAll(async () => {
    for (const [address, start] of Object.entries(shown)) {
      if (programs.some(({ text }) => text.includes(address))) brokers.set(address, await start())
    }
    runs = prepareDocumented(programs.map(onRealBrokers))
  })
  afterAll(async () => {
    await Promise.all([...brokers.values()].map((broker) => broker.close()))
  })

  function onRealBrokers(program: DocumentedProgram): DocumentedProgram {
    let { text } = program
    for (const [address, broker] of brokers) text = text.replaceAll(address, new URL(broker.url).host)
    return { ...program, text }
  }

  test.each(programs)('of $place runs and prints what it says', async ({ place }) => {
    const { promised, printed } = (await runs.get(place)?.()) ?? {}
    expect(printed).toEqual(promised)
  })
})

describe('the reading of documents', () => {
  test('lets a block without imports continue the one before it', () => {
    const markdown = [
      "```ts\nimport { x } from 'a'\n```",
      '```bash\nnpm run demo\n```',
      '```ts\nx()\n```',
      "```ts\nimport { y } from 'b'\n```",
      '```js\nz()\n```',
    ].join('\n\n')
    expect(programsOf('a.md', markdown).map(({ place, text }) => [place, text])).toEqual([
      ['a.md:1', "import { x } from 'a'\n\nx()\n"],
      ['a.md:13', "import { y } from 'b'\n"],
      ['a.md:17', 'z()\n'],
    ])
    expect(scriptsNamedIn(markdown)).toEqual(['demo'])
  })

  test('finds links inside the repository, and those that lead nowhere', () => {
    const markdown =
      '# A `b`, c\n[x](#a-b-c) [y](errors.md)\n```ts\n# no [z](gone.md)\n```\n[w](https://a.b) ![v](../no.svg)'
    expect(anchorsOf(markdown)).toEqual(['a-b-c'])
    expect(linksOf('docs/a.md', markdown)).toEqual(['docs/a.md#a-b-c', 'docs/errors.md', 'no.svg'])
    const links = '[x](errors.md#invalid_data) [y](errors.md#nothing) [z](gone.md)'
    expect(brokenLinksOf('docs/a.md', links)).toEqual(['docs/errors.md#nothing', 'docs/gone.md'])
  })

  test('finds what a console.log promises, several calls of it too', () => {
    const program = 'on((x) => console.log(x)) // -> 1\n  // -> 2\nconsole.log(3)\nconsole.log(4) // -> 4\n'
    const promises = promisesOf(program)
    expect(promises.map(({ lines }) => lines)).toEqual([['1', '2'], ['4']])
    expect(instrument(program, promises)).toBe(
      'on((x) => documented(0)(x)) // -> 1\n  // -> 2\nconsole.log(3)\ndocumented(1)(4) // -> 4\n',
    )
  })

  test('sees a wrong promise, a type error and a program that fails', async () => {
    const program = (text: string): DocumentedProgram => ({
      place: `control-${text.length}`,
      language: 'ts',
      text,
    })
    const wrong = program("console.log({ a: 1 }, 'b') // -> { a: 2 } b\n")
    const failing = program("throw new Error('mine')\n")
    const runs = prepareDocumented([wrong, failing])
    expect(await runs.get(wrong.place)?.()).toEqual({ promised: [['{ a: 2 } b']], printed: [['{ a: 1 } b']] })
    expect(typeErrorsOf([program("const n: number = 'one'\n")])).toEqual([
      expect.stringMatching(/^control-24: Type /),
    ])
    await expect(runs.get(failing.place)?.()).rejects.toMatchObject({
      message: expect.stringContaining('mine'),
    })
  })
})
