import { readFileSync } from 'node:fs'
import { loadTransport } from 'rivulet'
import { CommandError } from '../base/exit-code.ts'

/** `${NAME}` is a variable of the environment, `${file:PATH}` the content of a file. */
const REFERENCE = /\$\{(file:)?([^}]*)\}/g
/** The scheme, the authority, and the rest of a URL. */
const PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/is
/** Parts of the names of secret parameters, at any position: `access_token`, `apiKey`. */
const SECRET_NAME = /token|pass|pwd|secret|key|cred|auth|jwt|seed/i
/** Schemes of URLs with a name or a path instead of a host: without a server they contain no secret. */
const WITHOUT_HOST = /^(?:memory|replay|threads):/i
/** A reference in a parameter. */
const PARAMETER_REFERENCE = /\?.*\$\{/s
/** Schemes with a token as the user of a URL without a password. */
const WITH_TOKENS: readonly string[] = ['nats', 'tls']
/** Replaces a reference, whose characters would be parsed as part of the URL. */
const MASK = '$'

/** Throws when a URL to store contains a secret, or may contain one. */
export function checkNoSecret(url: string): void {
  const masked = url.replaceAll(REFERENCE, MASK)
  if (WITHOUT_HOST.test(masked)) return
  const [, scheme = '', authority = '', rest = ''] = PARTS.exec(masked) ?? []
  if (scheme === '') throw new CommandError('A URL is such as nats://host:4222.')
  // A bare `/`, `?` or `#` in a password ends the authority before its `@`.
  if (rest.includes('@')) {
    throw new CommandError('An @ behind the host is written %40; and secrets are not kept in a URL.')
  }
  const secrets = [...secretsIn(rest), secretOf(scheme, authority)]
  if (secrets.every((secret) => secret === '' || secret === MASK)) return
  const advice = `write \${NAME} in its place for a variable of the environment, or \${file:PATH} for a file`
  throw new CommandError(
    `The URL has a secret in it, and secrets are not kept; ${advice}, e.g. 'nats://user:\${NAME}@host:4222'.`,
  )
}

/** Rejects when the transport of URLs does not accept them. Does not connect. */
export async function checkTaken(urls: readonly string[]): Promise<void> {
  // The value of a reference is not known yet. A number can replace a host, a port, a user or a password, no parameter.
  if (urls.some((url) => PARAMETER_REFERENCE.test(url))) return
  await loadTransport(urls.map((url) => url.replaceAll(REFERENCE, '1')))
}

/** Replaces the references in a URL by their values, percent-encoded. */
export function resolveReferences(url: string): string {
  return url.replaceAll(REFERENCE, (_, isFile: string | undefined, name: string) =>
    encodeURIComponent(isFile === undefined ? fromEnvironment(name) : fromFile(name)),
  )
}

function secretOf(scheme: string, authority: string): string {
  const end = authority.lastIndexOf('@')
  if (end < 0) return ''
  const credentials = authority.slice(0, end)
  const colon = credentials.indexOf(':')
  if (colon >= 0) return credentials.slice(colon + 1)
  return WITH_TOKENS.includes(scheme.toLowerCase()) ? credentials : ''
}

/** Returns the values of secret parameters in the query, the fragment and the path. */
function secretsIn(rest: string): string[] {
  return rest
    .split(/[/?#&;]/)
    .map((parameter) => parameter.split(/=(.*)/s))
    .filter(([name = '']) => SECRET_NAME.test(decoded(name)))
    .map(([, value = '']) => value)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new CommandError('A URL is percent-encoded; a bare % is written %25.', undefined, cause)
  }
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
