import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import ts from 'typescript'
import { type DocumentedProgram, instrument, promisesOf } from './documentation.ts'
import { compilerOptions } from './public-names.ts'
import { ROOT } from './source-files.ts'

// Inside the repository, so that `rivulet` and what it is shown with resolve.
const FOLDER = join(ROOT, '.cache/documentation')
const PRELUDE = `
import { writeFileSync } from 'node:fs'
import { format } from 'node:util'
const printed = {}
globalThis.documented = (index) => (...values) => {
  printed[index] = [...(printed[index] ?? []), format(...values)]
  console.log(...values)
}
process.on('exit', () => writeFileSync(process.env.PRINTED, JSON.stringify(printed)))
`

/** Type-checks programs together; gives what the compiler says, by place. */
export function typeErrorsOf(programs: readonly DocumentedProgram[]): string[] {
  const files = new Map(programs.map((program) => [write(program, program.text, 'checked'), program]))
  const options = { ...compilerOptions(), noUnusedLocals: false }
  const checked = ts.createProgram([...files.keys()], options)
  return [...files].flatMap(([file, { place }]) =>
    ts
      .getPreEmitDiagnostics(checked, checked.getSourceFile(file))
      .map(({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
  )
}

/** What a program printed where it promises to, next to the promise. */
export interface Comparison {
  readonly promised: readonly (readonly string[])[]
  readonly printed: readonly (readonly string[])[]
}

/** Runs a program to its own end, and compares what it prints. Rejects when it fails or does not end. */
export async function runDocumented(program: DocumentedProgram): Promise<Comparison> {
  const promises = promisesOf(program.text)
  const file = write(program, instrument(program.text, promises), 'run')
  const prelude = join(FOLDER, 'prelude.mjs')
  const printedFile = `${file}.json`
  writeFileSync(prelude, PRELUDE)
  const options = ['--conditions=@rivulet/source', '--import', 'tsx', '--import', prelude]
  await execa('node', [...options, file], { cwd: ROOT, env: { PRINTED: printedFile }, timeout: 25_000 })
  const printed = JSON.parse(readFileSync(printedFile, 'utf8')) as Record<number, string[]>
  return {
    promised: promises.map(({ lines }) => lines),
    printed: promises.map((_, index) => (printed[index] ?? []).map((text) => text.replaceAll(/\s+/g, ' '))),
  }
}

function write({ place, language }: DocumentedProgram, text: string, purpose: string): string {
  const name = `${place.replaceAll(/\W+/g, '-')}.${purpose}.${language === 'ts' ? 'ts' : 'mjs'}`
  const file = join(FOLDER, name)
  mkdirSync(FOLDER, { recursive: true })
  // A module even when nothing is imported, for the sake of `await`.
  writeFileSync(file, `${text}\nexport {}\n`)
  return file
}
