import { type DialTime, given, type Resolved, textForm } from 'rivulet/adapter'
import { type MqttTlsOptions, type Settings, TLS_RULES } from './options.ts'

/** Settings with their functions called. */
export interface Known extends Omit<Settings, 'username' | 'password' | 'tls'> {
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: Resolved<MqttTlsOptions>
}

/** The rules by the secrets' names in errors. */
const RULES = {
  username: textForm,
  password: textForm,
  'tls.ca': TLS_RULES.ca,
  'tls.cert': TLS_RULES.cert,
  'tls.key': TLS_RULES.key,
  'tls.passphrase': TLS_RULES.passphrase,
}

/** Lists all secrets by their names in errors. */
export function secretsOf({ username, password, tls }: Settings) {
  const { ca, cert, key, passphrase } = tls
  return {
    username,
    password,
    'tls.ca': ca,
    'tls.cert': cert,
    'tls.key': key,
    'tls.passphrase': passphrase,
  }
}

/** Calls the functions among the secrets, all at the same time. */
export async function withSecrets(settings: Settings, time: DialTime): Promise<Known> {
  const answers = await given(secretsOf(settings), RULES, time)
  const { username, password, 'tls.ca': ca, 'tls.cert': cert, 'tls.key': key } = answers
  const { servername } = settings.tls
  const tls = { ca, cert, key, passphrase: answers['tls.passphrase'], servername }
  return { ...settings, username, password, tls }
}
