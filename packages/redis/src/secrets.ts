import { type DialTime, type FormOf, filledForm, given, type Resolved, type Rule } from 'rivulet/adapter'
import { type RedisTlsOptions, type SentinelSettings, type Settings, TLS_RULES } from './options.ts'

/** The login at a server, of Redis or a Sentinel. */
type Login = Pick<Settings, 'username' | 'password' | 'tls'>

/** A login with its functions called. */
export interface KnownLogin {
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: Resolved<RedisTlsOptions> | undefined
}

/** Settings with their functions called. */
export interface Known extends Omit<Settings, keyof KnownLogin | 'sentinel'>, KnownLogin {
  readonly sentinel: (Omit<SentinelSettings, keyof KnownLogin> & KnownLogin) | undefined
}

const RULES: Readonly<Record<string, Rule | FormOf>> = {
  username: filledForm,
  password: filledForm,
  ...TLS_RULES,
}
const SENTINEL = 'sentinel.'

/** Lists all secrets by their names in errors. */
export function secretsOf({ sentinel, ...settings }: Settings): Readonly<Record<string, unknown>> {
  // With TLS options shared by the Sentinels and Redis, call the functions once.
  const own = sentinel && { ...sentinel, tls: sentinel.tls === settings.tls ? undefined : sentinel.tls }
  return { ...named('', settings), ...(own && named(SENTINEL, own)) }
}

/** Calls the functions among the secrets, all at the same time. */
export async function withSecrets(settings: Settings, time: DialTime): Promise<Known> {
  const secrets = secretsOf(settings)
  const rules = Object.keys(secrets).map((name) => [name, RULES[name.slice(name.lastIndexOf('.') + 1)]])
  const answers: Readonly<Record<string, unknown>> = await given(secrets, Object.fromEntries(rules), time)
  const { sentinel } = settings
  const login = known('', settings, answers)
  if (sentinel === undefined) return { ...settings, ...login, sentinel }
  const ofSentinel = known(SENTINEL, sentinel, answers)
  const tls = sentinel.tls === settings.tls ? login.tls : ofSentinel.tls
  return { ...settings, ...login, sentinel: { ...sentinel, ...ofSentinel, tls } }
}

function named(prefix: string, { username, password, tls }: Login): Record<string, unknown> {
  const { ca, cert, key } = tls ?? {}
  return {
    [`${prefix}username`]: username,
    [`${prefix}password`]: password,
    [`${prefix}tls.ca`]: ca,
    [`${prefix}tls.cert`]: cert,
    [`${prefix}tls.key`]: key,
  }
}

function known(prefix: string, { tls }: Login, answers: Readonly<Record<string, unknown>>): KnownLogin {
  const answer = (name: string) => answers[prefix + name] as string | undefined
  const [username, password] = [answer('username'), answer('password')]
  if (tls === undefined) return { username, password, tls }
  const material = Object.entries({ ca: answer('tls.ca'), cert: answer('tls.cert'), key: answer('tls.key') })
  const filled = Object.fromEntries(material.filter(([, value]) => value !== undefined))
  return { username, password, tls: { ...(tls as Resolved<RedisTlsOptions>), ...filled } }
}
