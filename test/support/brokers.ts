import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type BrokerCommand, BrokerProcess } from './broker-process.ts'
import type { Certificate } from './certificates.ts'
import { findExecutable } from './find-executable.ts'
import { freePort } from './free-port.ts'

/** A real broker on loopback. Its ports and its folder stay the same over restarts. */
export class Broker extends BrokerProcess {
  readonly folder: string
  readonly #file: string
  readonly #render: (extra: string) => string
  readonly #ports: Ports
  readonly #scheme: string
  readonly #path: string
  /** The broker behind it, when it is a gateway. */
  readonly upstream: Broker | undefined

  constructor(command: BrokerCommand, file: string, parts: BrokerParts) {
    super(command)
    this.folder = command.folder
    this.#file = file
    this.#render = parts.render
    this.#ports = parts.ports
    this.#scheme = parts.scheme
    this.#path = parts.path ?? ''
    this.upstream = parts.upstream
  }

  override async close(): Promise<void> {
    await super.close()
    await this.upstream?.close()
  }

  /** Where clients connect, e.g. `nats://127.0.0.1:20817`. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}${this.#path}`
  }

  /** Where clients connect on one of the further listeners: `websocket`, `mqtt`, `cluster` or `monitor`. */
  portOf(listener: Listener): number {
    const port = this.#ports[listener]
    if (port === undefined) throw new Error(`This broker was started without the listener "${listener}".`)
    return port
  }

  /** Replaces the further lines of the configuration and has the broker read it (SIGHUP). */
  reload(config: string | ((folder: string) => string)): void {
    writeFileSync(this.#file, this.#render(rendered(config, this.folder)))
    this.signal('SIGHUP')
  }

  /** Reads a page of nats-server's monitoring, e.g. `connz?subs=1`. Leaves no socket behind. */
  monitor<Page = Record<string, unknown>>(page: string): Promise<Page> {
    const url = `http://127.0.0.1:${this.portOf('monitor')}/${page}`
    return new Promise((resolve, reject) => {
      const request = get(url, { agent: false, headers: { connection: 'close' } }, (response) => {
        let body = ''
        response.on('data', (chunk) => {
          body += chunk
        })
        response.on('end', () => resolve(JSON.parse(body)))
      })
      request.on('error', reject)
    })
  }
}

export type Listener = 'websocket' | 'mqtt' | 'cluster' | 'monitor'

export type Ports = Partial<Record<Listener, number>>

interface BrokerParts {
  readonly scheme: string
  readonly path?: string
  readonly upstream?: Broker
  readonly ports: Ports
  readonly render: (extra: string) => string
}

export interface CommonOptions {
  /** Further lines of the broker's own configuration; as a function, of the folder in which `files` are. */
  readonly config?: string | ((folder: string) => string)
  /** Files to write into the broker's folder before it starts, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Users with their passwords; others are refused. */
  readonly users?: Readonly<Record<string, string>>
  /** The certificate of the main listener, which then takes TLS only. */
  readonly tls?: Certificate
}

export interface NatsServerOptions extends CommonOptions {
  readonly jetstream?: boolean
  /** Opens the MQTT listener (which needs JetStream): `portOf('mqtt')`. */
  readonly mqtt?: boolean
  /** Opens the monitoring pages: `monitor(page)`. */
  readonly monitor?: boolean
  /** Makes it a member of a cluster; `routes` are cluster ports of other members. */
  readonly cluster?: { readonly name: string; readonly routes: readonly number[] }
}

export interface MosquittoOptions extends CommonOptions {
  /** Opens a second listener for MQTT over WebSocket: `portOf('websocket')`. */
  readonly websocket?: boolean
}

/** Starts a nats-server on a free loopback port. */
export function startNats(options: NatsServerOptions = {}): Promise<Broker> {
  const listeners: Listener[] = []
  if (options.mqtt) listeners.push('mqtt')
  if (options.monitor) listeners.push('monitor')
  if (options.cluster) listeners.push('cluster')
  return startBroker('nats-server', options, listeners, {
    scheme: options.tls ? 'tls' : 'nats',
    readyLine: /Server is ready/,
    args: (file) => ['-c', file],
    render: (port, ports, folder) => natsConfig(options, port, ports, folder),
  })
}

/** Starts `count` nats-servers as one cluster and waits until each knows every other. */
export async function startNatsCluster(count: number, options: NatsServerOptions = {}): Promise<Broker[]> {
  const brokers: Broker[] = []
  const name = `cluster-${randomBytes(4).toString('hex')}`
  for (let index = 0; index < count; index += 1) {
    const routes = brokers.map((broker) => broker.portOf('cluster'))
    brokers.push(await startNats({ ...options, monitor: true, cluster: { name, routes } }))
  }
  await Promise.all(brokers.map((broker) => knowsOthers(broker, count - 1)))
  if (options.jetstream) await haveLeader(brokers)
  return brokers
}

/**
 * Resolves when the running servers of a cluster agree that one of them leads its JetStream, which makes buckets and
 * consumers for all of them: an election takes some five seconds, and longer on a busy machine.
 */
export async function haveLeader(running: readonly Broker[]): Promise<void> {
  const names = running.map(({ url }) => `rivulet-${new URL(url).port}`)
  for (;;) {
    const reports = await Promise.all(
      running.map((broker) => broker.monitor<{ meta_cluster?: { leader?: string } }>('jsz')),
    )
    const leaders = new Set(reports.map(({ meta_cluster }) => meta_cluster?.leader ?? ''))
    const [leader = ''] = leaders
    if (leaders.size === 1 && names.includes(leader)) return
    await delay(20)
  }
}

/** Starts a mosquitto on a free loopback port. Without `users` it takes everybody. */
export function startMosquitto(options: MosquittoOptions = {}): Promise<Broker> {
  return startBroker('mosquitto', options, options.websocket ? ['websocket'] : [], {
    scheme: options.tls ? 'mqtts' : 'mqtt',
    readyLine: /mosquitto version \S+ running/,
    args: (file) => ['-c', file],
    render: (port, ports, folder) => mosquittoConfig(options, port, ports, folder),
  })
}

export interface BrokerKind {
  readonly scheme: string
  /** What clients ask for, where their URLs have a path. */
  readonly path?: string
  /** What it stands in front of. It is ended with it. */
  readonly upstream?: Broker
  readonly readyLine: RegExp
  readonly args: (file: string) => string[]
  readonly render: (port: number, ports: Ports, folder: string) => string
}

const START_ATTEMPTS = 10
const PORT_TAKEN = /address already in use/i

/** Starts a program on a free loopback port; again on another one when somebody was faster. */
export async function startBroker(
  program: string,
  options: CommonOptions,
  listeners: Listener[],
  kind: BrokerKind,
): Promise<Broker> {
  const executable = findExecutable(program)
  for (let attempt = 1; ; attempt += 1) {
    const folder = mkdtempSync(join(tmpdir(), `rivulet-${program}-`))
    const port = await freePort()
    const ports: Ports = {}
    for (const listener of listeners) ports[listener] = await freePort()
    for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text)
    const file = join(folder, 'broker.conf')
    const render = (extra: string) => `${kind.render(port, ports, folder)}\n${extra}\n`
    writeFileSync(file, render(rendered(options.config ?? '', folder)))
    const command = { executable, args: kind.args(file), folder, port, readyLine: kind.readyLine }
    const broker = new Broker(command, file, { ...kind, ports, render })
    try {
      await broker.start()
      return broker
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      if (attempt === START_ATTEMPTS || !PORT_TAKEN.test(broker.log())) throw error
    }
  }
}

function natsConfig(options: NatsServerOptions, port: number, ports: Ports, folder: string): string {
  const { jetstream, mqtt, users, tls, cluster } = options
  const lines = [`listen: "127.0.0.1:${port}"`, `server_name: "rivulet-${port}"`]
  if (jetstream || mqtt) lines.push(`jetstream { store_dir: ${JSON.stringify(join(folder, 'jetstream'))} }`)
  if (mqtt) lines.push(`mqtt { listen: "127.0.0.1:${ports.mqtt}" }`)
  if (ports.monitor) lines.push(`http: "127.0.0.1:${ports.monitor}"`)
  if (tls)
    lines.push(`tls { cert_file: ${JSON.stringify(tls.certFile)}, key_file: ${JSON.stringify(tls.keyFile)} }`)
  if (users) {
    const list = Object.entries(users).map(
      ([user, password]) => `{ user: ${JSON.stringify(user)}, password: ${JSON.stringify(password)} }`,
    )
    lines.push(`authorization { users: [ ${list.join(', ')} ] }`)
  }
  if (cluster) {
    // With JetStream a member needs a route before there is another member; one to itself is passed over.
    const known = jetstream && cluster.routes.length === 0 ? [ports.cluster] : cluster.routes
    const routes = known.map((route) => `nats://127.0.0.1:${route}`)
    lines.push(
      `cluster { name: "${cluster.name}", listen: "127.0.0.1:${ports.cluster}", routes: [ ${routes.join(', ')} ] }`,
    )
  }
  return lines.join('\n')
}

const LOG_TYPES = ['error', 'warning', 'notice', 'information', 'subscribe', 'unsubscribe']

function mosquittoConfig(options: MosquittoOptions, port: number, ports: Ports, folder: string): string {
  const { users, tls, websocket } = options
  // As root it would otherwise become a user that cannot read its folder; for others the line has no effect.
  const lines = ['user root', 'persistence false', 'log_dest stderr']
  // Not `debug`: that is a line for each message that comes and goes, and a broker waits for whoever reads its log.
  for (const type of LOG_TYPES) lines.push(`log_type ${type}`)
  lines.push(`allow_anonymous ${users === undefined}`)
  if (users) {
    const file = join(folder, 'passwords')
    writeFileSync(file, mosquittoPasswords(users))
    lines.push(`password_file ${file}`)
  }
  if (websocket) lines.push(`listener ${ports.websocket} 127.0.0.1`, 'protocol websockets')
  // Last, so that further lines about a listener concern this one.
  lines.push(`listener ${port} 127.0.0.1`)
  if (tls) lines.push(`certfile ${tls.certFile}`, `keyfile ${tls.keyFile}`)
  return lines.join('\n')
}

/** Writes what `mosquitto_passwd` would: PBKDF2 with SHA-512 (`$7$`), 101 rounds. */
export function mosquittoPasswords(users: Readonly<Record<string, string>>): string {
  const lines = Object.entries(users).map(([user, password]) => {
    const salt = randomBytes(12)
    const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512')
    return `${user}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}`
  })
  return `${lines.join('\n')}\n`
}

async function knowsOthers(broker: Broker, others: number): Promise<void> {
  for (;;) {
    const { routes } = await broker.monitor<{ routes?: { remote_id: string }[] }>('routez')
    if (new Set(routes?.map((route) => route.remote_id)).size >= others) return
    await delay(20)
  }
}

function rendered(config: string | ((folder: string) => string), folder: string): string {
  return typeof config === 'string' ? config : config(folder)
}
