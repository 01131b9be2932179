import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scripts } from '../package.json' with { type: 'json' }
import { type Broker, startMosquitto, startNats } from './support/brokers.ts'
import {
  type DocumentedProgram,
  instrument,
  programsOf,
  promisesOf,
  readDocument,
  scriptsNamedIn,
} from './support/documentation.ts'
import { PublicNames } from './support/public-names.ts'
import { runDocumented, typeErrorsOf } from './support/run-documented.ts'
import { packageFolders, ROOT } from './support/source-files.ts'

const entries = [
  'src/index.ts',
  'src/testing/index.ts',
  ...packageFolders().map((folder) => `${folder}/src/index.ts`),
]
const examples = readdirSync(join(ROOT, 'examples')).map((name) => `examples/${name}/README.md`)
const manuals = ['README.md', ...packageFolders().map((folder) => `${folder}/README.md`)]
const programs = manuals.flatMap((path) => programsOf(path, readDocument(path)))

describe('the public names', () => {
  const names = new PublicNames(entries)

  test.each(entries)('of %s have doc comments, their members too', (entry) => {
    expect(names.undocumented(entry)).toEqual([])
  })

  test('include error codes that each have a heading in the README', () => {
    const codes = names.literalsOf('src/index.ts', 'ErrorCode')
    const headings = readDocument('README.md')
      .split('\n')
      .filter((line) => line.startsWith('#'))
    expect(codes.length).toBeGreaterThan(0)
    expect(codes.filter((code) => !headings.some((heading) => heading.includes(code)))).toEqual([])
  })
})

describe('the documents', () => {
  test.each(manuals)('have %s', (path) => {
    expect(existsSync(join(ROOT, path))).toBe(true)
  })

  test.each([...manuals, ...examples])('name scripts that exist: %s', (path) => {
    expect(scriptsNamedIn(readDocument(path)).filter((name) => !(name in scripts))).toEqual([])
  })

  // DESIGN 4 and 5: what they ask to be said, since nobody could find it out by reading types.
  test.each([
    [
      'the bound of the limiter',
      'In any T seconds a stream admits at most `burst + ratePerSecond × T` messages',
    ],
    ['that there is no fairness', 'Between peers there is no fairness'],
    ['that whoever may write may forge', 'Whoever may write to a topic may still forge messages'],
    ['how topics are protected', 'give publish and subscribe permissions on `rivulet/<hub>/#`'],
    [
      'what freezes remain',
      'whether the first message ever heard of a publisher is old, if the connection was frozen',
    ],
    ['what denials remain', 'whether an MQTT broker silently denied a QoS 0 publish'],
    ['how a foreign client writes', '`{"data":{…}}` as UTF-8 JSON to `rivulet/<hub>/<stream>`'],
  ])('say %s', (_, sentence) => {
    expect(readDocument('README.md').replaceAll(/\s+/g, ' ')).toContain(sentence)
  })

  test('show code that compiles', () => {
    expect(typeErrorsOf(programs)).toEqual([])
  })
})

describe.runIf(programs.length > 0)('the documented program', () => {
  // The ports that the documents show are taken for those of brokers that run for this test.
  const shown = { '127.0.0.1:4222': startNats, '127.0.0.1:1883': startMosquitto }
  const brokers = new Map<string, Broker>()

  beforeAll(async () => {
    for (const [address, start] of Object.entries(shown)) {
      if (programs.some(({ text }) => text.includes(address))) brokers.set(address, await start())
    }
  })
  afterAll(async () => {
    await Promise.all([...brokers.values()].map((broker) => broker.close()))
  })

  function onRealBrokers(program: DocumentedProgram): DocumentedProgram {
    let { text } = program
    for (const [address, broker] of brokers) text = text.replaceAll(address, new URL(broker.url).host)
    return { ...program, text }
  }

  test.each(programs)('of $place runs and prints what it says', async (program) => {
    const { promised, printed } = await runDocumented(onRealBrokers(program))
    expect(printed).toEqual(promised)
  })
})

describe('the reading of documents', () => {
  test('lets a block without imports continue the one before it', () => {
    const markdown = [
      ...["```ts\nimport { x } from 'a'\n```", '```bash\nnpm run demo\n```', '```ts\nx()\n```'],
      ...["```ts\nimport { y } from 'b'\n```", '```js\nz()\n```'],
    ].join('\n\n')
    expect(programsOf('a.md', markdown).map(({ place, text }) => [place, text])).toEqual([
      ['a.md:1', "import { x } from 'a'\n\nx()\n"],
      ['a.md:13', "import { y } from 'b'\n"],
      ['a.md:17', 'z()\n'],
    ])
    expect(scriptsNamedIn(markdown)).toEqual(['demo'])
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
    const wrong = await runDocumented(program("console.log({ a: 1 }, 'b') // -> { a: 2 } b\n"))
    expect(wrong).toEqual({ promised: [['{ a: 2 } b']], printed: [['{ a: 1 } b']] })
    expect(typeErrorsOf([program("const n: number = 'one'\n")])).toEqual([
      expect.stringMatching(/^control-24: Type /),
    ])
    await expect(runDocumented(program("throw new Error('mine')\n"))).rejects.toThrow('mine')
  })
})
