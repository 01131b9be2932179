import { readFileSync } from 'node:fs'
import { CommandError } from '../base/exit-code.ts'

/** `${NAME}` is a variable of the environment, `${file:PATH}` the content of a file. */
const REFERENCE = /\$\{(file:)?([^}]*)\}/g
/** The user and the password of a URL: all up to the last `@` before the path. */
const CREDENTIALS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)@/i
const SECRET_PARAMETER = /[?&](?:token|password|secret|key|credentials)=([^&#]*)/gi
/** Schemes in whose URLs a user without a password is a token. */
const WITH_TOKENS: readonly string[] = ['nats', 'tls']
/** Stands for a reference, whose own characters would be taken for those of the URL. */
const MASK = '$'

/** Throws when a URL that is to be kept has a secret in it. */
export function checkNoSecret(url: string): void {
  const masked = url.replaceAll(REFERENCE, MASK)
  const secrets = [...masked.matchAll(SECRET_PARAMETER)].map(([, value = '']) => value)
  const [, scheme, credentials] = CREDENTIALS.exec(masked) ?? []
  if (scheme !== undefined && credentials !== undefined) secrets.push(secretIn(scheme, credentials))
  if (secrets.every((secret) => secret === '' || secret === MASK)) return
  const advice = `write \${NAME} in its place for a variable of the environment, or \${file:PATH} for a file`
  throw new CommandError(
    `The URL has a secret in it, and secrets are not kept; ${advice}, e.g. 'nats://user:\${NAME}@host:4222'.`,
  )
}

/** Replaces the references in a URL by their values, percent-encoded. */
export function resolveReferences(url: string): string {
  return url.replaceAll(REFERENCE, (_, isFile: string | undefined, name: string) =>
    encodeURIComponent(isFile === undefined ? fromEnvironment(name) : fromFile(name)),
  )
}

function secretIn(scheme: string, credentials: string): string {
  const colon = credentials.indexOf(':')
  if (colon >= 0) return credentials.slice(colon + 1)
  return WITH_TOKENS.includes(scheme.toLowerCase()) ? credentials : ''
}

function fromEnvironment(name: string): string {
  const value = process.env[name]
  if (value) return value
  throw new CommandError(`The URL names \${${name}}, and the environment has no ${name}.`)
}

function fromFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new CommandError(`The URL names the file ${path}, which can't be read (${code}).`, undefined, cause)
  }
}
