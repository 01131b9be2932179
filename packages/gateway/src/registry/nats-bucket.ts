import type { KV, KvEntry, KvWatchEntry } from '@nats-io/kv'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'
import { invalid } from '../base/invalid.ts'
import { checkOptions, type Form, numberFrom, TEXT } from '../base/options.ts'
import { readRecord, type StreamRecord } from './stream-record.ts'

/** Where a shared registry is. */
export interface NatsRegistryOptions {
  /** The servers of one cluster, each `host:port`, `nats://host:port` or `tls://host:port`. */
  readonly servers: string | readonly string[]
  /** The name of a user. */
  readonly user?: string | undefined
  /** The user's password. */
  readonly password?: string | undefined
  /** A token, instead of a user. */
  readonly token?: string | undefined
  /** The bucket. Gateways that name the same one share their streams. @default 'rivulet-streams' */
  readonly bucket?: string | undefined
  /** How many servers of a cluster keep the bucket. 1 to 5; counts when it is made. @default 1 */
  readonly replicas?: number | undefined
}

const SERVERS: Form = {
  fits: (value) => TEXT.fits(value) || (Array.isArray(value) && value.length > 0 && value.every(TEXT.fits)),
  what: 'a text or a list of texts',
}
const FORMS: Readonly<Record<keyof NatsRegistryOptions, Form>> = {
  ...{ servers: SERVERS, user: TEXT, password: TEXT, token: TEXT, bucket: TEXT, replicas: numberFrom(1, 5) },
}

const REQUEST_TIMEOUT_MS = 2000
const DEFAULT_BUCKET = 'rivulet-streams'

/** Connects; the connection comes back by itself whenever it is lost. Rejects `INVALID_OPTIONS`. */
export async function connectNats(options: NatsRegistryOptions): Promise<NatsConnection> {
  checkOptions(options, FORMS)
  const { servers, user, password, token } = options
  if (servers === undefined) throw invalid(`servers is ${SERVERS.what}.`)
  const secure = (typeof servers === 'string' ? [servers] : servers).some((url) => url.startsWith('tls:'))
  const given: ConnectionOptions = {
    servers: typeof servers === 'string' ? servers : [...servers],
    name: 'rivulet-gateway',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: REQUEST_TIMEOUT_MS,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(token !== undefined && { token }),
    ...(secure && { tls: {} }),
  }
  const { connect } = await loaded('@nats-io/transport-node', () => import('@nats-io/transport-node'))
  try {
    return await connect(given)
  } catch (cause) {
    // Not the cause's message: it may repeat a URL with a password.
    const advice = 'check its address, and the credentials.'
    throw new RivuletError(
      'TRANSPORT_UNAVAILABLE',
      `The registry's NATS server can't be reached; ${advice}`,
      {
        cause,
      },
    )
  }
}

/** Opens the bucket, or makes it. */
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

/** Gives the key of a stream in the bucket: the name decides, so that creating one is atomic. */
export function keyOf({
  serviceSid,
  uniqueName,
  sid,
}: Pick<StreamRecord, 'serviceSid' | 'uniqueName' | 'sid'>) {
  // Keys take no other characters than those of base64url.
  return uniqueName === null ? `${serviceSid}.s.${sid}` : `${serviceSid}.n.${base64url(uniqueName)}`
}

/**
 * Reads an entry; `undefined` for none, for a deleted one, and for a value that no gateway wrote under that key. Whoever
 * may write one key must not reach the stream of another one.
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
