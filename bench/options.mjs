import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Argument, Command, InvalidArgumentError } from 'commander'

/** Every suite, in the order in which they run. */
export const SUITE_NAMES = [
  'fanout',
  'publish',
  'refuse',
  'churn',
  'memory',
  'streams',
  'iterate',
  'transport',
]

const HELP = `
Suites:
  fanout     publish to N subscribers
  publish    payload sizes and shapes, with and without a schema
  refuse     what a refused publish costs
  churn      subscribe and unsubscribe
  memory     bytes a stream, bytes a subscriber
  streams    publish round robin on many streams
  iterate    read through async iterators
  transport  two processes over NATS, MQTT and Redis, two threads, two hubs over the memory bus

Examples:
  npm run bench                                              all suites; redraws bench/results
  npm run bench -- fanout --subscribers 1,100,10000 --payload 53,700,4000
  npm run bench -- fanout transport --transport nats://127.0.0.1:4222
  npm run bench -- publish --message my-message.json
  npm run bench -- --against ../rivulet-before               before and after, in turn, in one table

At the end each target that was measured is shown beside what was reached.
Exit code 0: every suite ran and every message that was to arrive did, whatever the targets say. 1: one did not, or a
bad option. 130: ended by Ctrl-C, with every process and broker that it had started.`

const COMPARABLE = ['fanout', 'publish']

const RESULTS = join(import.meta.dirname, 'results')
const SCRATCH = join(import.meta.dirname, '..', '.cache', 'bench')
const SCHEMES = /^(nats|tls|mqtt|mqtts|redis|rediss|valkey|valkeys|memory|threads):/

/**
 * The settings of a run.
 * @typedef {object} Settings
 * @property {string[]} suites
 * @property {number[]} [subscribers]
 * @property {number[]} [payload] bytes
 * @property {string[]} transport URLs
 * @property {object} [message] the user's own
 * @property {string} [against] folder of another checkout, which is measured beside this one
 * @property {number} rounds
 * @property {boolean} isQuick
 * @property {boolean} isJson
 * @property {string} out folder of the results
 * @property {string} command the command line to run this again
 */

/**
 * Reads the command line. Prints help or an error, and ends the process, when there is nothing to run.
 * @returns {Settings}
 */
export function parseOptions(args) {
  const command = commandLine().parse(args, { from: 'user' })
  const { subscribers, payload, transport = [], message, against, rounds, quick, json, out } = command.opts()
  const isOwn = subscribers || payload || message || against || transport.length > 0 || quick
  return {
    suites: suitesOf(command, against),
    ...{ subscribers, payload, transport, message, against, rounds: rounds ?? (quick ? 2 : 5) },
    isQuick: quick,
    isJson: json,
    out: out ?? (isOwn ? SCRATCH : RESULTS),
    command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
  }
}

function suitesOf(command, against) {
  const possible = against === undefined ? SUITE_NAMES : COMPARABLE
  const named = command.processedArgs[0]
  const wrong = named.find((suite) => !possible.includes(suite))
  if (wrong !== undefined)
    command.error(`error: --against goes with ${COMPARABLE.join(' and ')}, not with ${wrong}.`)
  return named.length === 0 ? possible : named
}

function commandLine() {
  const suites = new Argument('[suites...]', 'which to run; all of them when none is named')
  const command = new Command('npm run bench --')
    .description(
      'Measures Rivulet against what a user would pick instead, side by side in one process and one run.',
    )
    .addArgument(suites.choices(SUITE_NAMES))
  for (const [flags, description, ...rest] of optionLines()) command.option(flags, description, ...rest)
  return command.addHelpText('after', HELP).showHelpAfterError('(--help lists the options)')
}

/** Lists the options: flags, description, parser of the value, default. */
function optionLines() {
  return [
    ['--subscribers <list>', 'numbers of subscribers, e.g. 1,100, for fanout', wholeNumbers(1, 1_000_000)],
    ['--payload <list>', 'sizes in bytes, 53 to 65000, for fanout and publish', wholeNumbers(53, 65_000)],
    [
      '--transport <url...>',
      'own brokers: nats:, tls:, mqtt:, mqtts:, redis:, rediss:, valkey:, valkeys:, memory: or threads:',
      transportUrl,
    ],
    [
      '--message <file>',
      'a JSON file with an object to publish in place of the generated ones: fanout, publish, transport',
      messageFile,
    ],
    [
      '--against <folder>',
      'another checkout, built, to measure in turn with this one: fanout and publish',
      builtCheckout,
    ],
    ['--rounds <n>', 'alternating rounds, 1 to 100 (default: 5, with --quick 2)', wholeNumber(1, 100)],
    ['--quick', 'small and short: shows that everything works, the figures mean little', false],
    ['--json', 'print the results as JSON only', false],
    [
      '--out <folder>',
      'where results go (default: bench/results; .cache/bench when not everything is run as usual)',
    ],
  ]
}

function wholeNumber(least, most) {
  return (text) => {
    const value = Number(text)
    if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`)
  }
}

function wholeNumbers(least, most) {
  const one = wholeNumber(least, most)
  return (text) => text.split(',').map((part) => one(part.trim()))
}

function transportUrl(text, earlier = []) {
  if (SCHEMES.test(text)) return [...earlier, text]
  throw new InvalidArgumentError(
    'It is a URL that starts with nats: tls: mqtt: mqtts: redis: rediss: valkey: valkeys: memory: or threads:.',
  )
}

function builtCheckout(folder) {
  if (existsSync(join(folder, 'dist', 'index.js'))) return resolve(folder)
  throw new InvalidArgumentError(
    'It is the folder of a checkout in which `npm ci` and `npm run build` were run.',
  )
}

function messageFile(file) {
  const value = readJson(file)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new InvalidArgumentError('It holds JSON, but not an object.')
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new InvalidArgumentError(cause.message)
  }
}
