import { Command, InvalidArgumentError } from 'commander'
import { LIMIT_DEFAULTS, type LimitName } from '../gateway/gateway-options.ts'
import type { CommandOptions } from './settings.ts'

const NAME = 'rivulet-gateway'
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
  SIGTERM, SIGINT   with --drain-seconds says that it is not ready, and goes on for so long; then tells the listeners,
                    answers what has begun, and ends; a second one ends it at once, with 130`

const LIMITS: readonly [name: LimitName, flag: string, what: string][] = [
  ['maxListenersPerKey', 'max-listeners-per-key', 'listeners that each key may have, and pages'],
  ['maxListenersPerHolder', 'max-listeners-per-holder', 'listeners that each token or identity may have'],
  ['maxStreamsPerService', 'max-streams-per-service', 'streams that each service may have'],
  ['creationsPerSecond', 'creations-per-second', 'streams that may be created a second in each service'],
  [
    'maxConnectionsPerIdentity',
    'max-connections-per-identity',
    'connections of client SDKs for each identity, and pages',
  ],
  [
    'maxSubscriptionsPerConnection',
    'max-subscriptions-per-connection',
    'streams that each connection of a client SDK, and each page, may be subscribed to',
  ],
  [
    'maxPageSubscriptionsPerIdentity',
    'max-page-subscriptions-per-identity',
    'streams that all pages of an identity may be subscribed to',
  ],
  [
    'maxConnectionWaitingBytes',
    'max-connection-waiting-bytes',
    'bytes that may wait for a client SDK or a page that reads slowly',
  ],
  ['pageRatePerSecond', 'page-rate-per-second', 'messages a second of each page on each stream'],
  ['pageBurst', 'page-burst', 'of those messages, how many at once'],
  ['pageMaxBytes', 'page-max-bytes', "bytes that the data of a page's message may have"],
  [
    'maxPageMessagesPerSecond',
    'max-page-messages-per-second',
    'messages a second of each page on all streams',
  ],
  ['maxTokenLifeSeconds', 'max-token-life-seconds', 'seconds that a token may live, up to 86400'],
]

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
  for (const [limit, flag, what] of LIMITS) {
    command.option(`--${flag} <number>`, `${what} (default: ${LIMIT_DEFAULTS[limit]})`, limitOf)
  }
  return withOperation(withMetrics(command)).addHelpText('after', EXAMPLES.replaceAll(NAME, name)).action(run)
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
