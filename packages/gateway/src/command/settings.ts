import { readFileSync } from 'node:fs'
import { LIMIT_BOUNDS } from '@rivulet/twilio'
import type { LimitOptions } from 'rivulet'
import type { ApiKey } from '../access/key-ring.ts'
import { invalid } from '../base/invalid.ts'
import { type Form, isObject, numberFrom, PORT } from '../base/options.ts'
import { limitsOf, refuseFormerLimits } from '../gateway/limits.ts'
import { DEFAULT_SERVICE_SID } from '../gateway/services.ts'
import { readKeys } from './key-settings.ts'
import {
  checkApart,
  limitedBy,
  namedBySid,
  type ServiceSettings,
  type ServicesSettings,
} from './service-settings.ts'

/** The given limits by group and name. */
export type CommandLimits = Readonly<Record<string, Readonly<Record<string, number>>>>

/** The settings of the command, from options, environment and files together. */
export interface Settings {
  readonly port: number
  readonly host: string
  readonly services: ServicesSettings
  readonly keys: readonly ApiKey[]
  readonly open: boolean
  readonly allowedHosts: readonly string[]
  readonly cors: readonly string[]
  /** `memory`, `nats` (where the transport is), or URLs. */
  readonly registry: string | readonly string[]
  /** The bucket of a registry in NATS, and how many servers keep it when it is made. */
  readonly registryBucket?: string
  readonly registryReplicas?: number
  /** How long the gateway goes on after SIGTERM while it says that it is not ready, in seconds. */
  readonly drainSeconds: number
  readonly playground: boolean
  /** Whether pages of Rivulet's browser client may join the hubs. */
  readonly pages: boolean
  readonly logLevel: string
  /** The address of the metrics, if they are served. */
  readonly metricsPort?: number
  readonly metricsHost: string
  readonly accountSid?: string
  readonly publicUrl?: string
  readonly twilsock?: boolean
  readonly limits: CommandLimits
  readonly maxTokenLifeSeconds?: number
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
  readonly registryBucket?: string
  readonly registryReplicas?: number
  readonly drainSeconds?: number
  readonly ratePerSecond?: number
  readonly burst?: number
  readonly publicUrl?: string
  readonly playground?: true
  /** Commander has true here when it was not given. */
  readonly twilsock?: boolean
  /** As above. */
  readonly pages?: boolean
  readonly logLevel?: string
  readonly metricsPort?: number
  readonly metricsHost?: string
  readonly limit?: CommandLimits
  readonly maxTokenLifeSeconds?: number
  readonly config?: string
}

type Config = Record<string, unknown>
type Environment = Readonly<Record<string, string | undefined>>

const CONFIG_FIELDS = [
  'port',
  'host',
  'services',
  'keys',
  'open',
  'allowedHosts',
  'cors',
  'registry',
  'playground',
  'pages',
  'logLevel',
  'metricsPort',
  'metricsHost',
  'accountSid',
  'publicUrl',
  'twilsock',
  'registryBucket',
  'registryReplicas',
  'drainSeconds',
  'ratePerSecond',
  'burst',
  'limits',
  'maxTokenLifeSeconds',
]

/** The settings of a command without options or a file. */
const DEFAULTS = {
  port: 8080,
  host: '127.0.0.1',
  open: false,
  allowedHosts: [],
  cors: [],
  registry: 'memory',
  playground: false,
  pages: true,
  logLevel: 'info',
  metricsHost: '127.0.0.1',
  drainSeconds: 0,
}

// NATS takes no other names of buckets.
const BUCKET: Form = {
  fits: (value) => typeof value === 'string' && /^[\w-]+$/.test(value),
  what: 'a name of letters, digits, _ and -',
}
/** Longer than any load balancer takes to notice. */
const DRAIN_SECONDS = numberFrom(0, 3600)
const AT_LEAST_ONE = numberFrom(1, 1_000_000)

/** Checks what is not checked elsewhere, or would be misread: Node takes a text as port for a Unix socket. */
const CONFIG_FORMS: Readonly<Record<string, Form>> = {
  port: PORT,
  metricsPort: PORT,
  metricsHost: { fits: (value) => typeof value === 'string', what: 'an address' },
  host: { fits: (value) => typeof value === 'string', what: 'an address' },
  services: {
    fits: (value) => isObject(value) && Object.values(value).every(isObject),
    what: 'an object of { transport, name, … } by sid',
  },
  keys: {
    fits: (value) => Array.isArray(value) && value.every(isObject),
    what: 'a list of { sid, secret, grants }',
  },
  pages: { fits: (value) => typeof value === 'boolean', what: 'true or false' },
  cors: { fits: Array.isArray, what: 'a list of origins' },
  publicUrl: { fits: (value) => typeof value === 'string', what: 'a URL' },
  registryBucket: BUCKET,
  registryReplicas: numberFrom(1, 5),
  drainSeconds: DRAIN_SECONDS,
  ratePerSecond: AT_LEAST_ONE,
  burst: AT_LEAST_ONE,
}

/** Puts the settings together: an option counts more than the file. Throws `INVALID_OPTIONS`. */
export function settingsOf(options: CommandOptions, environment: Environment): Settings {
  const config = options.config === undefined ? {} : readConfig(options.config)
  const given = {
    port: options.port,
    host: options.host,
    open: options.open,
    allowedHosts: options.allowedHost,
    cors: options.cors,
    registry: options.registry,
    registryBucket: options.registryBucket,
    registryReplicas: options.registryReplicas,
    drainSeconds: options.drainSeconds,
    playground: options.playground,
    logLevel: options.logLevel,
    metricsPort: options.metricsPort,
    metricsHost: options.metricsHost,
    publicUrl: options.publicUrl,
    twilsock: options.twilsock === false ? false : undefined,
    pages: options.pages === false ? false : undefined,
    maxTokenLifeSeconds: options.maxTokenLifeSeconds,
  }
  return {
    ...DEFAULTS,
    ...config,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    limits: mergedLimits(config.limits as CommandLimits | undefined, options.limit),
    services: limitedBy(limitOf(options, config), servicesOf(options, config, environment)),
    keys: readKeys({
      lines: [...(options.key ?? []), ...(environment.RIVULET_GATEWAY_KEYS ?? '').split(/\s+/)],
      files: options.keyFile ?? [],
      configured: (config.keys ?? []) as Record<string, unknown>[],
    }),
  } as Settings
}

function readConfig(file: string): Config {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // No cause: a syntax error quotes the text, which may be a secret.
    throw invalid(`The file ${file} can't be read as JSON.`)
  }
  if (!isObject(config)) throw invalid(`The file ${file} holds no JSON object.`)
  refuseFormerLimits(config)
  const stray = Object.keys(config).find((field) => !CONFIG_FIELDS.includes(field))
  if (stray !== undefined) {
    throw invalid(`The file ${file} has an unknown field; there are ${CONFIG_FIELDS.join(', ')}.`)
  }
  for (const [field, { fits, what }] of Object.entries(CONFIG_FORMS)) {
    if (config[field] !== undefined && !fits(config[field])) throw invalid(`In ${file}, ${field} is ${what}.`)
  }
  limitsOf(config.limits, LIMIT_BOUNDS)
  return config
}

/** Puts the limits of the command line over those of the file. */
function mergedLimits(file: CommandLimits = {}, given: CommandLimits = {}): CommandLimits {
  const groups = Object.entries(given).map(([group, limits]) => [group, { ...file[group], ...limits }])
  return { ...file, ...Object.fromEntries(groups) }
}

/** Gives the limit of streams, as far as an option or the file gives it. */
function limitOf(options: CommandOptions, config: Config): LimitOptions {
  const { ratePerSecond = config.ratePerSecond, burst = config.burst } = options
  return { ratePerSecond, burst } as LimitOptions
}

function servicesOf(options: CommandOptions, config: Config, environment: Environment): ServicesSettings {
  const { transport = environment.RIVULET_GATEWAY_TRANSPORT?.split(/\s+/).filter(Boolean) } = options
  if (config.services !== undefined) {
    if (transport?.length || options.name !== undefined || options.service !== undefined) {
      throw invalid('Give services in the file, or --transport, --name and --service, not both.')
    }
    const services = namedBySid(config.services as ServicesSettings)
    checkApart(services)
    return services
  }
  const service: ServiceSettings = {
    ...(transport?.length ? { transport } : {}),
    ...(options.name !== undefined && { name: options.name }),
  }
  // The hub of a service without a sid is called `default`, like any hub of other programs that has no name.
  if (options.service === undefined) return { [DEFAULT_SERVICE_SID]: service }
  return namedBySid({ [options.service]: service })
}
