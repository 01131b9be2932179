import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Stryker } from '@stryker-mutator/core'
import type { Part } from './parts.ts'

/** One changed place of the source, and what the tests said to it. */
export interface Mutant {
  readonly file: string
  readonly mutator: string
  /** The whole line in which the change begins, without its indentation. */
  readonly line: string
  readonly original: string
  readonly replacement: string
  /** Where the change stands in the text of the file. */
  readonly from: number
  readonly lineNumber: number
  readonly isKilled: boolean
  /** Stryker's word for how it ended. */
  readonly status: string
}

/** Runs Stryker over one part of the copy, which has to be the current folder. */
export async function mutate(part: Part, concurrency: number): Promise<Mutant[]> {
  process.env.MUTATION_TESTS = part.tests.join('\n')
  const stryker = new Stryker({
    mutate: [...part.mutate],
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
    coverageAnalysis: 'perTest',
    // The copy is the sandbox: one of Stryker's own would follow the links of the workspace back to the copy.
    inPlace: true,
    concurrency,
    timeoutMS: 60_000,
    timeoutFactor: 3,
    dryRunTimeoutMinutes: 15,
    reporters: [process.stderr.isTTY ? 'progress' : 'progress-append-only'],
    logLevel: 'warn' as never,
    disableTypeChecks: false,
  } as ConstructorParameters<typeof Stryker>[0])
  const results = await stryker.runMutationTest()
  return results.filter(({ status }) => status !== 'Ignored').map(mutantOf)
}

/** A property tells the whole input that failed. */
const LONGEST_REASON = 200

type Result = Awaited<ReturnType<Stryker['runMutationTest']>>[number]

function mutantOf(result: Result): Mutant {
  const file = relative(process.cwd(), result.fileName)
  const text = readFileSync(join(process.cwd(), file), 'utf8')
  const lines = text.split('\n')
  const { start, end } = result.location
  const offset = (at: { line: number; column: number }) =>
    lines.slice(0, at.line - 1).reduce((sum, line) => sum + line.length + 1, 0) + at.column - 1
  return {
    file,
    mutator: result.mutatorName,
    line: (lines[start.line - 1] ?? '').trim(),
    original: text.slice(offset(start), offset(end)),
    replacement: result.replacement,
    from: offset(start),
    lineNumber: start.line,
    isKilled: isKilled(result),
    status: [result.status, result.statusReason?.slice(0, LONGEST_REASON)].filter(Boolean).join(': '),
  }
}

/** A loop that runs a hundred times as often as without the change is found; a deadline by the clock shows nothing. */
function isKilled({ status, statusReason }: Result): boolean {
  return status === 'Killed' || (status === 'Timeout' && /hit limit/i.test(statusReason ?? ''))
}
