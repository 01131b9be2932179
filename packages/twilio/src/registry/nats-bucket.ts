import type { KV, KvEntry, KvWatchEntry } from '@nats-io/kv'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { checkOptions, type Form, invalid, numberFrom, TEXT } from '@rivulet/gateway/protocol'
import { RivuletError } from 'rivulet'
import type { Given } from 'rivulet/adapter'
import { NatsCredentials } from './nats-credentials.ts'
import { readRecord, type StreamRecord } from './stream-record.ts'

/**
 * The server and the bucket of a shared registry. A function is called at each attempt to connect; a value that comes
 * after the server's greeting is for the next attempt. When the function fails, its last value is used.
 */
export interface NatsRegistryOptions {
  /** The servers of one cluster, each `host:port`, `nats://host:port` or `tls://host:port`. */
  readonly servers: string | readonly string[]
  /** The name of a user. */
  readonly user?: Given<string> | undefined
  /** The user's password. */
  readonly password?: Given<string> | undefined
  /** A token, instead of a user. */
  readonly token?: Given<string> | undefined
  /** The bucket. Gateways that name the same one share their streams. @default 'rivulet-streams' */
  readonly bucket?: string | undefined
  /** The number of a cluster's servers that store the bucket, 1 to 5; used when it is created. @default 1 */
  readonly replicas?: number | undefined
}

const SERVERS: Form = {
  fits: (value) => TEXT.fits(value) || (Array.isArray(value) && value.length > 0 && value.every(TEXT.fits)),
  what: 'a text or a list of texts',
}
const SECRET: Form = {
  fits: (value) => TEXT.fits(value) || typeof value === 'function',
  what: 'a text, or a function that gives one',
}
const FORMS: Readonly<Record<keyof NatsRegistryOptions, Form>> = {
  servers: SERVERS,
  user: SECRET,
  password: SECRET,
  token: SECRET,
  bucket: TEXT,
  replicas: numberFrom(1, 5),
}

const REQUEST_TIMEOUT_MS = 2000
const DEFAULT_BUCKET = 'rivulet-streams'

/**
 * Connects; a lost connection is made again automatically. Rejects `INVALID_OPTIONS`, and
 * `TRANSPORT_UNAVAILABLE` when the server cannot be reached, or a function returns no text.
 */
export async function connectNats(options: NatsRegistryOptions): Promise<NatsConnection> {
  checkOptions(options, FORMS)
  const { servers, user, password, token } = options
  if (servers === undefined) throw invalid(`servers is ${SERVERS.what}.`)
  const secure = (typeof servers === 'string' ? [servers] : servers).some((url) => url.startsWith('tls:'))
  const credentials = new NatsCredentials({ user, password, token })
  await credentials.ask()
  const given: ConnectionOptions = {
    servers: typeof servers === 'string' ? servers : [...servers],
    name: 'rivulet-gateway',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: REQUEST_TIMEOUT_MS,
    authenticator: credentials.authenticator,
    // The client would close for good at the second refusal in a row, although the next credentials may be valid.
    ignoreAuthErrorAbort: true,
    ...(secure && { tls: {} }),
  }
  const connection = await connected(given)
  void credentials.follow(connection)
  return connection
}

async function connected(options: ConnectionOptions): Promise<NatsConnection> {
  const { connect } = await loaded('@nats-io/transport-node', () => import('@nats-io/transport-node'))
  try {
    return await connect(options)
  } catch (cause) {
    // Not the cause's message: it may repeat a URL with a password.
    const advice = 'check its address, and the credentials.'
    const message = `The registry's NATS server can't be reached; ${advice}`
    throw new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
  }
}

/** Opens the bucket; creates it when there is none. */
export async function openBucket(connection: NatsConnection, options: NatsRegistryOptions): Promise<KV> {
  const { Kvm } = await loaded('@nats-io/kv', () => import('@nats-io/kv'))
  return new Kvm(connection).create(options.bucket ?? DEFAULT_BUCKET, {
    description: 'Streams of Rivulet gateways',
    history: 1,
    replicas: options.replicas ?? 1,
    // A gateway must read what another one has just written, so only the leader may answer.
    allow_direct: false,
    timeout: REQUEST_TIMEOUT_MS,
  })
}

/** Returns the key of a stream in the bucket. It is made from the name, so that creation is atomic. */
export function keyOf({
  serviceSid,
  uniqueName,
  sid,
}: Pick<StreamRecord, 'serviceSid' | 'uniqueName' | 'sid'>) {
  // Keys take no other characters than those of base64url.
  return uniqueName === null ? `${serviceSid}.s.${sid}` : `${serviceSid}.n.${base64url(uniqueName)}`
}

/**
 * Reads an entry; `undefined` for none, for a deleted one, and for a value that no gateway wrote under that key. Write
 * access to one key must not reach the stream of another.
 */
export function recordOf(entry: KvEntry | KvWatchEntry | null): StreamRecord | undefined {
  if (entry?.operation !== 'PUT') return undefined
  try {
    const record = readRecord(JSON.parse(entry.string()))
    return record !== undefined && keyOf(record) === entry.key ? record : undefined
  } catch {
    return undefined
  }
}

function base64url(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

async function loaded<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    throw new RivuletError('TRANSPORT_UNAVAILABLE', `${name} is not installed; run: npm install ${name}`, {
      cause,
    })
  }
}
