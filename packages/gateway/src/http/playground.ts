import { type Answer, otherAnswer, problemAnswer } from '../base/answer.ts'
import { PROBLEMS } from '../base/problem.ts'

// Nothing but the page's own script and style, and the gateway itself.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

const PAGE = '/playground'
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  [PAGE]: ['index.html', 'text/html; charset=utf-8'],
  '/playground/client.js': ['client.js', 'text/javascript; charset=utf-8'],
  '/playground/style.css': ['style.css', 'text/css; charset=utf-8'],
}
// Beside the built program; in a checkout, where this file is the source, there is the build alone.
const FOLDERS = ['./playground/', '../../dist/playground/']

/** The paths of the page and of what belongs to it. */
export const PLAYGROUND_PATHS: readonly string[] = Object.keys(FILES)

/** Answers with a file of the page, which is built with the package. The page joins the hub of that name. */
export async function playgroundFile(path: string, hubName: string): Promise<Answer> {
  const [file, type] = FILES[path] ?? []
  const content = file === undefined ? undefined : await read(file)
  if (content === undefined || type === undefined) return problemAnswer(PROBLEMS.notFound)
  const body = path === PAGE ? content.replace('data-hub="default"', `data-hub="${hubName}"`) : content
  return otherAnswer(body, {
    'content-type': type,
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  })
}

async function read(file: string): Promise<string | undefined> {
  // Only here, so that the handler itself runs where there are no files.
  const { readFile } = await import('node:fs/promises')
  for (const folder of FOLDERS) {
    const content = await readFile(new URL(folder + file, import.meta.url), 'utf8').catch(() => undefined)
    if (content !== undefined) return content
  }
  return undefined
}
