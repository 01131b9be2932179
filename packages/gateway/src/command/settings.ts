import { readFileSync } from 'node:fs'
import type { HubConfigObject } from 'rivulet'
import type { ApiKey } from '../access/api-key.ts'
import type { Grant } from '../access/grant.ts'
import { invalid } from '../base/invalid.ts'
import { DEFAULT_SERVICE_SID } from '../gateway/gateway-options.ts'

/** How the command's hubs are opened; without a transport they are local. */
export type ServiceSettings = Partial<HubConfigObject>

/** What the command was told, by options, environment and files together. */
export interface Settings {
  readonly port: number
  readonly host: string
  readonly services: Readonly<Record<string, ServiceSettings>>
  readonly keys: readonly ApiKey[]
  readonly open: boolean
  readonly allowedHosts: readonly string[]
  readonly cors: readonly string[]
  /** `memory`, `nats` (where the transport is), or URLs. */
  readonly registry: string | readonly string[]
  readonly playground: boolean
  readonly logLevel: string
  readonly accountSid?: string
  readonly publicUrl?: string
  readonly maxListenersPerKey?: number
}

/** The options of the command line, as commander gives them; those that were not given are absent. */
export interface CommandOptions {
  readonly port?: number
  readonly host?: string
  readonly transport?: readonly string[]
  readonly name?: string
  readonly service?: string
  readonly key?: readonly string[]
  readonly keyFile?: readonly string[]
  readonly open?: true
  readonly allowedHost?: readonly string[]
  readonly cors?: readonly string[]
  readonly registry?: string
  readonly publicUrl?: string
  readonly playground?: true
  readonly logLevel?: string
  readonly config?: string
}

type Config = Record<string, unknown>
type Environment = Readonly<Record<string, string | undefined>>

const CONFIG_FIELDS = [
  ...['port', 'host', 'services', 'keys', 'open', 'allowedHosts', 'cors', 'registry', 'playground'],
  ...['logLevel', 'accountSid', 'publicUrl', 'maxListenersPerKey'],
]

/** What is not checked elsewhere, or would be taken for something else: Node takes a text as port for a socket. */
const CONFIG_FORMS: Readonly<Record<string, { fits(value: unknown): boolean; what: string }>> = {
  port: {
    fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
    what: 'a number from 0 to 65535',
  },
  host: { fits: (value) => typeof value === 'string', what: 'an address' },
  services: {
    fits: (value) => isObject(value) && Object.values(value).every(isObject),
    what: 'an object of { transport, name, … } by sid',
  },
  keys: {
    fits: (value) => Array.isArray(value) && value.every(isObject),
    what: 'a list of { sid, secret, grants }',
  },
  cors: { fits: Array.isArray, what: 'a list of origins' },
  publicUrl: { fits: (value) => typeof value === 'string', what: 'a URL' },
}

/** Puts together what the command was told: an option counts more than the file. Throws `INVALID_OPTIONS`. */
export function settingsOf(options: CommandOptions, environment: Environment): Settings {
  const config = options.config === undefined ? {} : readConfig(options.config)
  const given = {
    port: options.port,
    host: options.host,
    open: options.open,
    allowedHosts: options.allowedHost,
    cors: options.cors,
    registry: options.registry,
    playground: options.playground,
    logLevel: options.logLevel,
    publicUrl: options.publicUrl,
  }
  const defaults = {
    ...{ port: 8080, host: '127.0.0.1', open: false, allowedHosts: [], cors: [], registry: 'memory' },
    ...{ playground: false, logLevel: 'info' },
  }
  return {
    ...defaults,
    ...config,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    services: servicesOf(options, config, environment),
    keys: keysOf(options, config, environment),
  } as Settings
}

function readConfig(file: string): Config {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // No cause: a syntax error quotes what stands there, which may be a secret.
    throw invalid(`The file ${file} can't be read as JSON.`)
  }
  if (!isObject(config)) throw invalid(`The file ${file} holds no JSON object.`)
  const stray = Object.keys(config).find((field) => !CONFIG_FIELDS.includes(field))
  if (stray !== undefined) {
    throw invalid(`The file ${file} has an unknown field; there are ${CONFIG_FIELDS.join(', ')}.`)
  }
  for (const [field, { fits, what }] of Object.entries(CONFIG_FORMS)) {
    if (config[field] !== undefined && !fits(config[field])) throw invalid(`In ${file}, ${field} is ${what}.`)
  }
  return config
}

function servicesOf(options: CommandOptions, config: Config, environment: Environment) {
  const { transport = environment.RIVULET_GATEWAY_TRANSPORT?.split(/\s+/).filter(Boolean) } = options
  if (config.services !== undefined) {
    if (transport?.length || options.name !== undefined || options.service !== undefined) {
      throw invalid('Give services in the file, or --transport, --name and --service, not both.')
    }
    return config.services as Settings['services']
  }
  const service: ServiceSettings = {
    ...(transport?.length ? { transport } : {}),
    ...(options.name !== undefined && { name: options.name }),
  }
  return { [options.service ?? DEFAULT_SERVICE_SID]: service }
}

/** Secrets come from anywhere; what a key allows, from the file, where its secret may be left out. */
function keysOf(options: CommandOptions, config: Config, environment: Environment): ApiKey[] {
  const lines = [
    ...(options.key ?? []),
    ...(environment.RIVULET_GATEWAY_KEYS ?? '').split(/\s+/),
    ...(options.keyFile ?? []).flatMap(linesOf),
  ]
  const secrets = secretsOf(lines.filter((line) => line !== ''))
  const configured = (config.keys ?? []) as { sid: string; secret?: string; grants?: readonly Grant[] }[]
  const keys = configured.map(({ sid, secret, grants }) => {
    const found = secret ?? secrets.get(sid)
    if (found === undefined) throw invalid('A key in the file has no secret, and none is given elsewhere.')
    secrets.delete(sid)
    return { sid, secret: found, ...(grants && { grants }) }
  })
  return [...keys, ...[...secrets].map(([sid, secret]) => ({ sid, secret }))]
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
