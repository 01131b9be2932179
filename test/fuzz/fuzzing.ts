import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { execa } from 'execa'

/** Where the repository is. */
export const ROOT = join(import.meta.dirname, '../..')
const TARGETS = join(import.meta.dirname, 'targets')
/** The inputs that each run begins with, a folder for each target. */
export const CORPUS = join(import.meta.dirname, 'corpus')
/** Pieces of input that random changes would hardly find: strings are compared inside the engine, unseen. */
const DICTIONARY = join(import.meta.dirname, 'words.dict')
const JAZZER = join(dirname(createRequire(import.meta.url).resolve('@jazzer.js/core')), 'cli.js')
/** The largest input, in bytes. */
const MAX_INPUT_BYTES = 4096
/** libFuzzer's exit codes for an input that takes too long, one that takes too much memory, and one that throws. */
const FOUND: readonly (number | undefined)[] = [70, 71, 77]

/** Every target by its name. */
export const TARGET_NAMES: readonly string[] = readdirSync(TARGETS)
  .map((file) => file.replace(/\.ts$/, ''))
  .sort()

/** How long a target runs: a number of inputs, or seconds. */
export interface Limits {
  readonly runs?: number | undefined
  readonly seconds?: number | undefined
  /** The same inputs again, as long as the code is the same. @default by chance */
  readonly seed?: number | undefined
}

/** The result of a run. */
export interface FuzzResult {
  /** How many inputs were run. */
  readonly runs: number
  /** Branches that were reached by the seeds, and at the end. */
  readonly coverage: { readonly first: number; readonly last: number }
  /** Whether an input broke the target's law. */
  readonly isFound: boolean
  /** What the fuzzer wrote: with a finding, the error and the input. */
  readonly output: string
}

/** Further options of a run. */
export interface FuzzOptions {
  readonly plant?: Plant | undefined
  /** Receives each line that the fuzzer writes. */
  readonly onLine?: (line: string) => void
  /** A folder of seeds in the place of the target's own. */
  readonly seeds?: string
}

/** Puts a mistake into one file of the source, for a check of the checks. */
export interface Plant {
  /** The end of the file's path. */
  readonly file: string
  readonly from: string
  readonly to: string
}

/**
 * Runs a target under Jazzer.js. The target is bundled to one CommonJS file first, so that all of the library's code is
 * instrumented. What was found to reach new code is kept in `folder` for the next run.
 */
export async function fuzz(
  target: string,
  folder: string,
  limits: Limits,
  options: FuzzOptions = {},
): Promise<FuzzResult> {
  const program = await bundleTarget(target, folder, options.plant)
  const found = join(folder, 'found')
  mkdirSync(found, { recursive: true })
  const { runs, seconds, seed } = limits
  const settings = [
    `-max_len=${MAX_INPUT_BYTES}`,
    `-dict=${DICTIONARY}`,
    `-artifact_prefix=${folder}/`,
    ...(runs === undefined ? [] : [`-runs=${runs}`]),
    ...(seconds === undefined ? [] : [`-max_total_time=${seconds}`]),
    ...(seed === undefined ? [] : [`-seed=${seed}`]),
  ]
  // Targets start no programs and open no files, and look for changed prototypes themselves: the detectors would take
  // half of the time. A machine that stands still for seconds is no finding.
  const jazzer = ['--disableBugDetectors=.*', '--timeout=60000']
  const sync = isAsynchronous(target) ? [] : ['--sync']
  const log = join(folder, 'output.log')
  const start = (node: readonly string[], inputs: readonly string[], onLine?: FuzzOptions['onLine']) =>
    runWithLog(
      ['--no-warnings', ...node, JAZZER, program, ...inputs, ...jazzer, ...sync, '--', ...settings],
      log,
      onLine,
    )
  const startMs = Date.now()
  // A stack for each error that is thrown would take up to half of the time.
  const inputs = [found, options.seeds ?? join(CORPUS, target)]
  const { output, exitCode } = await start(['--stack-trace-limit=0'], inputs, options.onLine)
  const result = read(output, exitCode)
  const crash = readdirSync(folder).find(
    (file) => file.startsWith('crash-') && statSync(join(folder, file)).mtimeMs >= startMs,
  )
  if (crash === undefined) return result
  const shown = join(folder, 'shown', crash)
  mkdirSync(shown, { recursive: true })
  copyFileSync(join(folder, crash), join(shown, 'input'))
  const again = await start([], [shown])
  return { ...result, output: `${output}\n\nThe input once more, with stacks:\n${again.output}` }
}

/**
 * Runs Node with its output in a file: libFuzzer loses what it writes to a pipe that is full, as it is on a busy machine.
 * Passes each line on.
 */
async function runWithLog(args: readonly string[], log: string, onLine?: FuzzOptions['onLine']) {
  const file = openSync(log, 'w')
  // Jazzer.js hears no other signal. The declarations of execa know 1 and 2 only; any descriptor is taken.
  const stdio = ['ignore', file as 1, file as 1] as const
  const running = execa(process.execPath, args, { cwd: ROOT, reject: false, stdio, killSignal: 'SIGKILL' })
  const stop = onLine === undefined ? () => {} : followLines(log, onLine)
  const { exitCode } = await running
  stop()
  closeSync(file)
  return { output: readFileSync(log, 'utf8'), exitCode }
}

/** Reads the new lines of a file every half a second, and a last time when it is stopped. */
function followLines(log: string, onLine: (line: string) => void): () => void {
  let count = 0
  const read = () => {
    const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
    for (const line of lines.slice(count)) onLine(line)
    count = lines.length
  }
  const timer = setInterval(read, 500)
  return () => {
    clearInterval(timer)
    read()
  }
}

/** Targets that wait for promises: they run by Jazzer's slower way. */
function isAsynchronous(target: string): boolean {
  return ['inbox', 'open-hub', 'tokens'].includes(target)
}

function read(output: string, exitCode: number | undefined): FuzzResult {
  const counts = [...output.matchAll(/^#(\d+)\s.*?\bcov: (\d+)/gm)].map(([, runs, cov]) => [
    Number(runs),
    Number(cov),
  ]) as [number, number][]
  const done = /^Done (\d+) runs/m.exec(output)?.[1]
  const runs = Number(done ?? counts.at(-1)?.[0] ?? 0)
  const inited = /^#\d+\s+INITED cov: (\d+)/m.exec(output)?.[1]
  const coverage = { first: Number(inited ?? 0), last: counts.at(-1)?.[1] ?? 0 }
  if (exitCode !== 0 && !FOUND.includes(exitCode)) throw new Error(`The fuzzer did not run:\n${output}`)
  return { runs, coverage, isFound: FOUND.includes(exitCode), output }
}

async function bundleTarget(target: string, folder: string, plant: Plant | undefined): Promise<string> {
  const outfile = join(folder, `${target}.cjs`)
  await build({
    entryPoints: [join(TARGETS, `${target}.ts`)],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'es2022',
    conditions: ['@rivulet/source'],
    sourcemap: 'inline',
    logLevel: 'error',
    plugins: [othersStayOutside, ...(plant === undefined ? [] : [planting(plant)])],
    outfile,
  })
  return outfile
}

/** Leaves packages of others out of the bundle, so that they are not instrumented. */
const othersStayOutside: Plugin = {
  name: 'others stay outside',
  setup(build) {
    const isOurs = (path: string) => /^(?:\.|\/|rivulet$|rivulet\/|@rivulet\/)/.test(path)
    build.onResolve({ filter: /.*/ }, ({ path }) => (isOurs(path) ? undefined : { path, external: true }))
  },
}

function planting({ file, from, to }: Plant): Plugin {
  return {
    name: 'planting',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (!path.endsWith(file)) return undefined
        const text = await readFile(path, 'utf8')
        if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
        return { contents: text.replace(from, to), loader: 'ts' }
      })
    },
  }
}
