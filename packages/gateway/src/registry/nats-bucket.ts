import type { KV } from '@nats-io/kv'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'

/** Where a shared registry is. */
export interface NatsRegistryOptions {
  /** The servers of one cluster, each `host:port`, `nats://host:port` or `tls://host:port`. */
  readonly servers: string | readonly string[]
  /** The name of a user. */
  readonly user?: string
  /** The user's password. */
  readonly password?: string
  /** A token, instead of a user. */
  readonly token?: string
  /** The bucket. Gateways that name the same one share their streams. @default 'rivulet-streams' */
  readonly bucket?: string
  /** How many servers of a cluster keep the bucket. 1 to 5; counts when it is made. @default 1 */
  readonly replicas?: number
}

const REQUEST_TIMEOUT_MS = 2000
const DEFAULT_BUCKET = 'rivulet-streams'

/** Connects; the connection comes back by itself whenever it is lost. */
export async function connectNats(options: NatsRegistryOptions): Promise<NatsConnection> {
  const { servers, user, password, token } = options
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

async function loaded<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    throw new RivuletError('TRANSPORT_UNAVAILABLE', `${name} is not installed; run: npm install ${name}`, {
      cause,
    })
  }
}
