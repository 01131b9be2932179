import { type Answer, otherAnswer, problemAnswer } from '../base/answer.ts'

// Nothing but the page's own script and style, and the gateway itself.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/playground': ['index.html', 'text/html; charset=utf-8'],
  '/playground/client.js': ['client.js', 'text/javascript; charset=utf-8'],
  '/playground/style.css': ['style.css', 'text/css; charset=utf-8'],
}

/** The paths of the page and of what belongs to it. */
export const PLAYGROUND_PATHS: readonly string[] = Object.keys(FILES)

/** Answers with a file of the page. They come with the package, as they are. */
export async function playgroundFile(path: string): Promise<Answer> {
  const [file, type] = FILES[path] ?? []
  if (file === undefined || type === undefined) return problemAnswer('notFound')
  // Only here, so that the handler itself runs where there are no files.
  const { readFile } = await import('node:fs/promises')
  const content = await readFile(new URL(`./playground/${file}`, import.meta.url), 'utf8')
  return otherAnswer(content, {
    'content-type': type,
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  })
}
