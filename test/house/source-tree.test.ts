import { basename, dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageFolders, parse, readSourceFiles, type SourceFile } from '../support/source-files.ts'
import {
  type FolderOrder,
  findImportCycle,
  importsAgainst,
  importsOf,
  longFunctionsOf,
  nodeGlobalsOf,
  privateNamesOf,
  relativeImportsOf,
  starExportsOf,
  timeAndChanceOf,
} from '../support/source-rules.ts'

const MAX_FUNCTION_LINES = 40
// DESIGN 1: a message's way through the core, from the program down.
const FOLDERS: FolderOrder = {
  downwards: [
    // The kit of the adapters, which nothing in the core uses.
    'src/adapter',
    'src',
    ...[
      'hub',
      'tap',
      'stream',
      'publish',
      'send',
      'receive',
      'deliver',
      'connection',
      'state',
      'message',
      'errors',
      'base',
    ].map((folder) => `src/${folder}`),
  ],
  apart: ['src/testing'],
}
// The way of a request through the gateway, from the program that serves it down.
const GATEWAY = 'packages/gateway/src'
const GATEWAY_FOLDERS: FolderOrder = {
  downwards: [
    GATEWAY,
    ...[
      'command',
      'metrics',
      'server',
      'gateway',
      'sse',
      'http',
      'pages',
      'pages/relay',
      'sessions',
      'access',
      'base',
    ].map((folder) => `${GATEWAY}/${folder}`),
  ],
  apart: [],
}
// Twilio's protocols, which the gateway mounts.
const TWILIO = 'packages/twilio/src'
const TWILIO_FOLDERS: FolderOrder = {
  downwards: [
    TWILIO,
    ...['mount', 'rest', 'twilsock', 'streams', 'registry', 'base'].map((folder) => `${TWILIO}/${folder}`),
  ],
  apart: [],
}
// The page's end of the protocol for pages; the gateway has the server's.
const WEB_SOCKET = 'packages/websocket/src'
const WEB_SOCKET_FOLDERS: FolderOrder = {
  downwards: [WEB_SOCKET, ...['client', 'base'].map((folder) => `${WEB_SOCKET}/${folder}`)],
  apart: [],
}
// A command, what it is made of, how it finds its hub, and what all commands share. The last is for `package.json`.
const CLI = 'packages/cli/src'
const CLI_FOLDERS: FolderOrder = {
  downwards: [
    CLI,
    ...[
      'commands',
      'pub',
      'sub',
      'tap',
      'recording',
      'bench',
      'check',
      'completion',
      'connection',
      'contexts',
      'base',
    ].map((folder) => `${CLI}/${folder}`),
    'packages/cli',
  ],
  apart: [],
}
/** The parts of a stream's and a hub's state, each with the folder that writes it. */
const PARTS: Readonly<Record<string, string>> = {
  LifetimePart: 'src/stream',
  PublishPart: 'src/publish',
  DeliverPart: 'src/deliver',
  SendPart: 'src/send',
  ReceivePart: 'src/receive',
  ReportPart: 'src/errors',
  HubPart: 'src/hub',
  HubPublishPart: 'src/publish',
}
const ENTRIES = ['src/index.ts', 'src/tap.ts']
/** The one file that may read a clock, start a timer and draw chance. */
const ENVIRONMENT = 'src/base/environment.ts'
/** The entries of other packages that the gateway may import: it serves pages and metrics by them. */
const PAGE_PROTOCOL = '@rivulet/websocket/protocol'
const PROMETHEUS = '@rivulet/otel/prometheus'
/** The command of the gateway serves Twilio's protocols, which stand on the gateway. */
const OF_TWILIO = ['@rivulet/twilio', '@rivulet/twilio/registry-nats']
const OF_GATEWAY = ['@rivulet/gateway', '@rivulet/gateway/protocol']
/** The command records, and replays by it. */
const REPLAY = '@rivulet/replay'
/** As above: the command serves by it. */
const GATEWAY_COMMAND = '@rivulet/gateway/command-line'
const OWNERLESS_NAMES = /^(utils?|helpers?|common|types?)\.ts$/

const everythingInSrc = readSourceFiles('src')
const isTesting = (file: SourceFile) => file.path.startsWith('src/testing/')
const core = everythingInSrc.filter((file) => !isTesting(file))
const memory = readSourceFiles('packages/memory/src')
const threads = readSourceFiles('packages/threads/src')
const webSocket = readSourceFiles(WEB_SOCKET)
const pages = readSourceFiles(`${GATEWAY}/pages`)
const packages = packageFolders().map((folder) => ({ folder, files: readSourceFiles(`${folder}/src`) }))
const shipped = [...everythingInSrc, ...packages.flatMap(({ files }) => files)]

/** What each file does against a rule, with the file's name in front; empty when all keep it. */
function offences(files: readonly SourceFile[], rule: (file: SourceFile) => string[]): string[] {
  return files.flatMap((file) => rule(file).map((offence) => `${file.path}: ${offence}`))
}

describe('the source tree', () => {
  test('has no circle of imports in src', () => {
    expect(findImportCycle(everythingInSrc)?.join(' -> ')).toBeUndefined()
  })

  test.each(packages)('has no circle of imports in $folder', ({ files }) => {
    expect(findImportCycle(files)?.join(' -> ')).toBeUndefined()
  })

  test('lets imports in src go down the order of folders only', () => {
    expect(offences(everythingInSrc, (file) => importsAgainst(FOLDERS, file))).toEqual([])
  })

  test('lets imports in the gateway go down the order of its folders only', () => {
    expect(offences(readSourceFiles(GATEWAY), (file) => importsAgainst(GATEWAY_FOLDERS, file))).toEqual([])
  })

  test("lets imports in Twilio's package go down the order of its folders only", () => {
    expect(offences(readSourceFiles(TWILIO), (file) => importsAgainst(TWILIO_FOLDERS, file))).toEqual([])
  })

  test('lets imports in the WebSocket package go down the order of its folders only', () => {
    expect(offences(webSocket, (file) => importsAgainst(WEB_SOCKET_FOLDERS, file))).toEqual([])
  })

  test('lets imports in the command go down the order of its folders only', () => {
    expect(offences(readSourceFiles(CLI), (file) => importsAgainst(CLI_FOLDERS, file))).toEqual([])
  })

  test('lets nothing in src import an entry, or the core by name, but the testing entry', () => {
    const entries = (file: SourceFile) => relativeImportsOf(file).filter((path) => ENTRIES.includes(path))
    expect(offences(everythingInSrc, entries)).toEqual([])
    expect(offences(core, (file) => importsOf(file).filter(isCoreByName))).toEqual([])
  })

  test('lets each part of the state be written by one folder, which alone names its type', () => {
    const others = core.filter(({ path }) => dirname(path) !== 'src/state')
    expect(offences(others, strangePartsOf)).toEqual([])
    for (const [part, folder] of Object.entries(PARTS)) {
      const writers = others.filter(({ path, tree }) => dirname(path) === folder && tree.text.includes(part))
      expect(writers, `${part} is written in ${folder}`).not.toEqual([])
    }
  })

  test('reads clocks, timers and chance in one file of the core only', () => {
    const others = core.filter(({ path }) => path !== ENVIRONMENT)
    expect(core.length - others.length, `${ENVIRONMENT} is there`).toBe(1)
    expect(offences(others, timeAndChanceOf)).toEqual([])
  })

  test('lets a package import the core as rivulet and rivulet/adapter, and its own base', () => {
    for (const { folder, files } of packages) {
      const strays = (file: SourceFile) =>
        importsOf(file).filter((specifier) => leaves(folder, file, specifier))
      expect(offences(files, strays)).toEqual([])
    }
  })

  test('uses no Node built-in in the core, packages for browsers and the page server', () => {
    const builtins = (file: SourceFile) =>
      importsOf(file).filter((specifier) => specifier.startsWith('node:'))
    expect(offences([...core, ...memory, ...threads, ...webSocket, ...pages], builtins)).toEqual([])
    expect(offences([...core, ...memory, ...threads, ...webSocket, ...pages], nodeGlobalsOf)).toEqual([])
  })

  test('has no file named after nothing', () => {
    expect(shipped.map(({ path }) => path).filter((path) => OWNERLESS_NAMES.test(basename(path)))).toEqual([])
  })

  test('has kebab-case file names only', () => {
    const isKebab = (path: string) => /^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(basename(path))
    expect(shipped.map(({ path }) => path).filter((path) => !isKebab(path))).toEqual([])
  })

  // DESIGN 7: #private fields cost nothing, but on per-message objects.
  test('has no private field on a message', () => {
    const message = core.filter(({ path }) => basename(path) === 'message.ts')
    expect(message).toHaveLength(1)
    expect(offences(message, privateNamesOf)).toEqual([])
  })

  test('spells every public name out', () => {
    expect(offences(shipped, starExportsOf)).toEqual([])
  })

  test(`has no function over ${MAX_FUNCTION_LINES} lines`, () => {
    const files = [...shipped, ...readSourceFiles('examples')]
    expect(offences(files, (file) => longFunctionsOf(file, MAX_FUNCTION_LINES))).toEqual([])
  })
})

/** Lists the parts of the state that a file names although another folder writes them. */
function strangePartsOf({ path, tree }: SourceFile): string[] {
  const isNamed = (part: string) => new RegExp(`\\b${part}\\b`).test(tree.text)
  return Object.entries(PARTS)
    .filter(([part, folder]) => dirname(path) !== folder && isNamed(part))
    .map(([part, folder]) => `names ${part} of ${folder}`)
}

function isCoreByName(specifier: string): boolean {
  return specifier === 'rivulet' || specifier.startsWith('rivulet/')
}

/** Tells whether an import of a package reaches the core by path, or another package at all. */
function leaves(folder: string, file: SourceFile, specifier: string): boolean {
  if (specifier === PAGE_PROTOCOL || specifier === PROMETHEUS) return folder !== 'packages/gateway'
  if (specifier === REPLAY) return folder !== 'packages/cli'
  if (specifier === GATEWAY_COMMAND) return folder !== 'packages/cli'
  if (OF_TWILIO.includes(specifier)) return dirname(file.path) !== `${GATEWAY}/command`
  if (OF_GATEWAY.includes(specifier)) return folder !== 'packages/twilio'
  if (specifier.startsWith('@rivulet/')) return true
  if (specifier === 'rivulet/adapter') return false
  // The command watches hubs.
  if (specifier === 'rivulet/tap') return folder !== 'packages/cli'
  // A check of somebody's broker runs the contract suite.
  if (specifier === 'rivulet/testing') return folder !== 'packages/cli'
  if (specifier.startsWith('rivulet/')) return true
  if (!specifier.startsWith('.')) return false
  const [target] = relativeImportsOf({ ...file, tree: parse(file.path, `import '${specifier}'`).tree })
  return target !== `${folder}/package.json` && !target?.startsWith(`${folder}/src/`)
}

describe('the rules', () => {
  test('find a circle through type-only and dynamic imports', () => {
    const files = [
      parse('src/a.ts', "import type { B } from './b.ts'"),
      parse('src/b.ts', "const c = () => import('./c.ts')"),
      parse('src/c.ts', "export { a } from './a.ts'"),
    ]
    expect(findImportCycle(files)).toEqual(['src/a.ts', 'src/b.ts', 'src/c.ts', 'src/a.ts'])
    expect(findImportCycle(files.slice(1))).toBeUndefined()
  })

  test('find imports that go up, type-only ones too, and folders without a place', () => {
    const order = { downwards: ['src', 'src/stream', 'src/model', 'src/base'], apart: ['src/testing'] }
    const against = (path: string, text: string) => importsAgainst(order, parse(path, text))
    const down =
      "import './expiry.ts'\nimport type { A } from '../model/a.ts'\nconst b = () => import('../base/b.ts')"
    expect(against('src/stream/stream.ts', down)).toEqual([])
    expect(against('src/hub.ts', "import './hub-options.ts'\nimport './stream/stream.ts'")).toEqual([])
    expect(against('src/testing/peer.ts', "import './scene.ts'\nimport '../model/topic.ts'")).toEqual([])
    const up =
      "import type { S } from '../stream/stream.ts'\nexport { H } from '../hub.ts'\nimport '../base/b.ts'"
    expect(against('src/model/topic.ts', up)).toEqual(['imports src/stream/stream.ts', 'imports src/hub.ts'])
    expect(against('src/testing/peer.ts', "import '../hub.ts'")).toEqual(['imports src/hub.ts'])
    expect(against('src/stream/stream.ts', "import '../testing/a.ts'\nimport '../odd/b.ts'")).toEqual([
      'imports src/testing/a.ts',
      'imports src/odd/b.ts',
    ])
    expect(against('src/odd/b.ts', '')).toEqual(['src/odd has no place in the order of folders'])
    expect(against('src/hub.ts', "import '../package.json'")).toEqual(['imports package.json'])
  })

  test('find clocks, timers and chance', () => {
    const uses = [
      'performance.now()',
      'Date.now()',
      "Date['now']()",
      'globalThis.Date.now()',
      'new Date()',
      'new Date',
      'Date()',
      'setTimeout(f, 1)',
      'globalThis.setInterval(f, 1)',
      'const t = setImmediate',
      'Math.random()',
      'crypto.getRandomValues(b)',
      'AbortSignal.timeout(5)',
      'const o = { performance }',
      'const { crypto } = globalThis',
    ]
    expect(uses.filter((text) => timeAndChanceOf(parse('a.ts', text)).length !== 1)).toEqual([])
    expect(timeAndChanceOf(parse('a.ts', 'f()\nMath.random()'))).toEqual(['Math.random in line 2'])
    const others = [
      'new Date(0)',
      'x instanceof Date',
      'Date.prototype',
      'environment.performance',
      'o.setTimeout(f)',
      'const o = { crypto: 1 }',
      'type T = ReturnType<typeof setTimeout>',
      '/** setTimeout */ // Date.now()',
      'Math.floor(1)',
      'queueMicrotask(f)',
      'class A { setTimeout() {} }',
      'clock.now()',
    ]
    expect(others.flatMap((text) => timeAndChanceOf(parse('a.ts', text)))).toEqual([])
  })

  test('find globals of Node, and take no property for one', () => {
    const file = parse(
      'src/a.ts',
      'process.exit()\nglobalThis.Buffer\nobject.process\nconst o = { require: 1 }',
    )
    expect(nodeGlobalsOf(file)).toEqual(['process in line 1', 'Buffer in line 2'])
    expect(nodeGlobalsOf(parse('src/a.ts', 'declare global {}\nclass Buffer {}\nnew Buffer()'))).toEqual([])
  })

  test('find what leaves a package', () => {
    const file = parse('packages/memory/src/bus.ts', '')
    const strays = [
      '../../../src/hub.ts',
      '../../nats/src/index.ts',
      '@rivulet/nats',
      'rivulet/testing',
      '../test/x.ts',
    ]
    expect(strays.filter((specifier) => leaves('packages/memory', file, specifier))).toEqual(strays)
    expect(['rivulet', './link.ts', 'mqtt'].filter((name) => leaves('packages/memory', file, name))).toEqual(
      [],
    )
    expect(leaves('packages/gateway', file, PAGE_PROTOCOL)).toBe(false)
    expect(leaves('packages/memory', file, PAGE_PROTOCOL)).toBe(true)
    expect(leaves('packages/gateway', file, PROMETHEUS)).toBe(false)
    expect(leaves('packages/nats', file, PROMETHEUS)).toBe(true)
    expect(leaves('packages/gateway', file, '@rivulet/websocket')).toBe(true)
    const command = parse('packages/gateway/src/command/run-gateway.ts', '')
    expect(leaves('packages/gateway', command, '@rivulet/twilio')).toBe(false)
    expect(leaves('packages/gateway', parse('packages/gateway/src/index.ts', ''), '@rivulet/twilio')).toBe(
      true,
    )
    expect(leaves('packages/twilio', file, '@rivulet/gateway/protocol')).toBe(false)
    expect(leaves('packages/nats', file, '@rivulet/gateway')).toBe(true)
  })

  test('find a private field', () => {
    expect(privateNamesOf(parse('a.ts', 'class A {\n  #b = 1\n  c = 2\n}'))).toEqual(['#b in line 2'])
  })

  test('find a long function and an export of everything', () => {
    expect(longFunctionsOf(parse('a.ts', 'function f() {\n\n\n}'), 3)).toEqual(['4 lines from line 1'])
    expect(longFunctionsOf(parse('a.ts', 'function f() {\n\n}'), 3)).toEqual([])
    expect(starExportsOf(parse('a.ts', "export * from './b.ts'"))).toEqual(['line 1'])
  })
})
