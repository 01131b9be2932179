import { readFileSync } from 'node:fs'
import type { Grant } from '../access/grant.ts'
import type { ApiKey } from '../access/key-ring.ts'
import { invalid } from '../base/invalid.ts'

/** The sources of keys. */
export interface KeySources {
  /** Lines of the command line and of the environment. */
  readonly lines: readonly string[]
  /** Files with a key in each line. */
  readonly files: readonly string[]
  /** Those of the configuration, where secrets may be left out. */
  readonly configured: readonly Readonly<Record<string, unknown>>[]
}

const FIELDS = ['sid', 'secret', 'grants']

/** Secrets come from anywhere; what a key allows, from the configuration. Throws `INVALID_OPTIONS`, without secrets. */
export function readKeys({ lines, files, configured }: KeySources): ApiKey[] {
  const secrets = secretsOf([...lines, ...files.flatMap(linesOf)].filter((line) => line !== ''))
  const keys = configured.map((given) => {
    checkFields(given)
    const { sid, secret, grants } = given as { sid: string; secret?: string; grants?: readonly Grant[] }
    const found = secret ?? secrets.get(sid)
    if (found === undefined) throw invalid('A key in the file has no secret, and none is given elsewhere.')
    secrets.delete(sid)
    return { sid, secret: found, ...(grants && { grants }) }
  })
  return [...keys, ...[...secrets].map(([sid, secret]) => ({ sid, secret }))]
}

function checkFields(key: object): void {
  const stray = Object.keys(key).find((field) => !FIELDS.includes(field))
  if (stray !== undefined)
    throw invalid(`A key in the file has an unknown field; there are ${FIELDS.join(', ')}.`)
}

function secretsOf(lines: readonly string[]): Map<string, string> {
  const secrets = new Map<string, string>()
  for (const [sid, secret] of lines.map(parseKey)) {
    if ((secrets.get(sid) ?? secret) !== secret) throw invalid('A key is given twice, with two secrets.')
    secrets.set(sid, secret)
  }
  return secrets
}

function parseKey(line: string): [sid: string, secret: string] {
  const colon = line.indexOf(':')
  if (colon === -1) throw invalid('A key is "AC…:token" or "SK…:secret".')
  return [line.slice(0, colon), line.slice(colon + 1)]
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
  } catch {
    throw invalid(`The file ${file} can't be read.`)
  }
}
