import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import ts from 'typescript'
import { bundlePrograms } from './bundle-program.ts'
import { type DocumentedProgram, instrument, promisesOf } from './documentation.ts'
import { compilerOptions } from './public-names.ts'
import { ROOT } from './source-files.ts'

// Inside the repository, so that `rivulet` and what it is shown with resolve.
const FOLDER = join(ROOT, '.cache/documentation')
const PRELUDE_FILE = 'prelude.mjs'
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

/** Bundles programs together, and gives what runs each to its own end, by its place. */
export function prepareDocumented(
  programs: readonly DocumentedProgram[],
): ReadonlyMap<string, () => Promise<Comparison>> {
  const numbered = programs.map((program, index) => ({ program, name: `program-${index}` }))
  const files = numbered.map(({ program, name }) => [
    name,
    write(program, instrument(program.text, promisesOf(program.text)), 'run'),
  ])
  const folder = bundlePrograms(Object.fromEntries(files))
  writeFileSync(join(folder, PRELUDE_FILE), PRELUDE)
  return new Map(numbered.map(({ program, name }) => [program.place, () => run(folder, name, program)]))
}

/** Compares what a program prints with what it promises. Rejects when it fails or does not end. */
async function run(folder: string, name: string, { text }: DocumentedProgram): Promise<Comparison> {
  const printedFile = join(folder, `${name}.json`)
  const options = ['--import', join(folder, PRELUDE_FILE)]
  const file = join(folder, `${name}.mjs`)
  await execa('node', [...options, file], { cwd: ROOT, env: { PRINTED: printedFile }, timeout: 25_000 })
  const printed = JSON.parse(readFileSync(printedFile, 'utf8')) as Record<number, string[]>
  const promises = promisesOf(text)
  return {
    promised: promises.map(({ lines }) => lines),
    printed: promises.map((_, index) => (printed[index] ?? []).map((line) => line.replaceAll(/\s+/g, ' '))),
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
