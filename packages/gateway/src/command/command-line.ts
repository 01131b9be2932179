import { LIMIT_BOUNDS } from '@rivulet/twilio'
import { Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULT_TOKEN_LIFE_SECONDS } from '../access/token.ts'
import { FORMER_LIMITS, limitDefaults } from '../gateway/limits.ts'
import type { CommandLimits, CommandOptions } from './settings.ts'

const NAME = 'rivulet-gateway'
const LIMIT_DEFAULTS = limitDefaults(LIMIT_BOUNDS)
const EXAMPLES = `
Examples:
  rivulet-gateway --open --playground
      a local hub for this machine; then see http://127.0.0.1:8080/playground
  RIVULET_GATEWAY_KEYS=AC…:token rivulet-gateway --host 0.0.0.0 --transport nats://10.0.0.5:4222 --registry nats
      one of several gateways on a NATS server with JetStream

Environment, since arguments show in process lists:
  RIVULET_GATEWAY_KEYS       keys, separated by white space
  RIVULET_GATEWAY_TRANSPORT  URLs, separated by white space

Signals:
  SIGHUP            reads the keys of --key-file and --config anew, and ends listeners of keys that are gone or have
                    changed; everything else stays (with --open it ends the command)
  SIGTERM, SIGINT   with --drain-seconds says that it is not ready, and goes on for so long; then ends the listeners,
                    answers what has begun, and ends; a second one ends it at once, with 130`

/** Describes the command line. `name` is what it is called by. */
export function commandLine(run: (options: CommandOptions) => Promise<void>, name = NAME): Command {
  const list = (value: string, before: readonly string[] = []) => [...before, value]
  const command = new Command(name)
    .description(
      "Puts a hub behind Twilio Sync Streams' HTTP API, with Server-Sent Events, Twilio's client SDKs and pages of Rivulet itself.",
    )
    .option('-p, --port <number>', 'where to listen; 0 takes a free port (default: 8080)', portOf)
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option(
      '--transport <url>',
      "a broker's URL; repeatable for the servers of one cluster (default: none, local)",
      list,
    )
    .option('--name <name>', "the hub's name (default: the sid of --service, else default)")
    .option('--service <sid>', "the service's sid, IS and 32 hex digits; it is also called default")
    .option('--key <sid:secret>', 'a key that may send requests: AC…:token or SK…:secret; repeatable', list)
    .option('--key-file <file>', 'a file with a key in each line; repeatable', list)
    .option('--open', 'accept requests of this machine without keys')
    .option('--allowed-host <name>', 'with --open: a further name of this machine; repeatable', list)
    .option('--cors <origin>', 'an origin whose pages may send requests; repeatable', list)
    .option(
      '--registry <kind>',
      "memory, nats (on the transport's server), or a nats:// URL (default: memory)",
    )
    .option('--public-url <url>', 'how clients reach it, for the URLs in answers')
    .option('--playground', 'serve a page to try it out, /playground')
    .option('--no-twilsock', "don't serve Twilio's client SDKs at /v3/wsconnect (default: served with keys)")
    .option('--no-pages', "don't serve pages of Rivulet's own browser client at /rivulet (default: served)")
    .option('--log-level <level>', 'debug (every request), info, warn, error or silent (default: info)')
    .option(
      '--config <file>',
      'a JSON file with services, keys and their grants, and options by their names in camelCase',
    )
  return withOperation(withMetrics(withLimits(command)))
    .addHelpText('after', `${EXAMPLES.replaceAll(NAME, name)}\n\n${limitsHelp()}`)
    .action(run)
}

function withLimits(command: Command): Command {
  command
    .option(
      '--limit <name=number>',
      'a limit, like pages.burst=60; repeatable; their names and defaults are listed below',
      limitFrom,
    )
    .option(
      '--max-token-life-seconds <number>',
      `seconds that a token may live, up to 86400 (default: ${DEFAULT_TOKEN_LIFE_SECONDS})`,
      limitOf,
    )
  // Hidden: a limit by its former flag is refused with its name of today.
  for (const [former, paths] of Object.entries(FORMER_LIMITS)) {
    const flag = former.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    command.addOption(new Option(`--${flag} <number>`).hideHelp().argParser(refuse(paths)))
  }
  return command
}

/** Refuses a former flag, and says what to write in its place. */
function refuse(paths: readonly string[]): (value: string) => never {
  return (value) => {
    throw new InvalidArgumentError(`It is now ${paths.map((path) => `--limit ${path}=${value}`).join(' ')}.`)
  }
}

function limitsHelp(): string {
  const lines = [...LIMIT_DEFAULTS].map(([path, usual]) => `  ${path}=${usual}`)
  return `Limits, with their defaults:\n${lines.join('\n')}`
}

/** Reads `pages.burst=60` into the limits that were read before. */
function limitFrom(value: string, before: CommandLimits = {}): CommandLimits {
  const [path = '', text = '', ...more] = value.split('=')
  if (!LIMIT_DEFAULTS.has(path) || more.length > 0) {
    throw new InvalidArgumentError('It is like pages.burst=60; --help lists the limits.')
  }
  const [group = '', name = ''] = path.split('.')
  return { ...before, [group]: { ...before[group], [name]: limitOf(text) } }
}

function withMetrics(command: Command): Command {
  return command
    .option(
      '--metrics-port <number>',
      "serve /metrics for Prometheus on that port, without keys; 0 takes a free one (default: it isn't served)",
      portOf,
    )
    .option('--metrics-host <address>', 'the address for it to listen on (default: 127.0.0.1)')
}

function withOperation(command: Command): Command {
  return command
    .option('--rate-per-second <number>', 'messages a second of all on each stream (default: 30)', limitOf)
    .option('--burst <number>', 'of those messages, how many at once (default: 30)', limitOf)
    .option('--registry-bucket <name>', 'the bucket of a registry in NATS (default: rivulet-streams)')
    .option(
      '--registry-replicas <number>',
      'how many servers of a NATS cluster keep the bucket, 1 to 5; when it is made (default: 1)',
      limitOf,
    )
    .option(
      '--drain-seconds <number>',
      'after SIGTERM: seconds to go on while /readyz says 503, before the port closes (default: 0)',
      secondsOf,
    )
}

function secondsOf(value: string): number {
  if (!/^\d{1,4}$/.test(value)) throw new InvalidArgumentError('It is a whole number from 0.')
  return Number(value)
}

function limitOf(value: string): number {
  if (!/^[1-9]\d{0,9}$/.test(value)) throw new InvalidArgumentError('It is a whole number from 1.')
  return Number(value)
}

function portOf(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN
  if (!(port <= 65_535)) throw new InvalidArgumentError('It is a number from 0 to 65535.')
  return port
}
