import { Command, InvalidArgumentError, Option } from 'commander'

export type BrokerName = 'nats' | 'mosquitto'

/** What the command line asks for. */
export interface DemoOptions {
  /** How long the week takes, in seconds. */
  readonly seconds: number
  /** The chance, 0 to 1, that the bus loses a message on its way to a reader. */
  readonly loss: number
  /** Decides which messages are lost: the same seed loses the same ones. */
  readonly seed: number
  /** The URL of a broker; then every reader is a process of its own. */
  readonly transport?: string
  /** The broker to start for this run. */
  readonly broker?: BrokerName
  /** Whether to print the results only. */
  readonly quiet: boolean
}

/** Reads the command line. Prints help or what is wrong, and ends the process, when there is nothing to run. */
export function parseOptions(args: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description('Replays a week of real earthquakes as messages, and shows where every one of them ended.')
    .option('--seconds <n>', 'seconds that the week takes, 0.2 to 3600', numberBetween(0.2, 3600), 15)
    .option('--loss <p>', 'chance that the bus loses a message, 0 to 0.9', numberBetween(0, 0.9), 0)
    .option('--seed <n>', 'whole number that decides which messages are lost', wholeNumber, 1)
    .addOption(
      new Option('--transport <url>', 'broker to use, with a process for each reader; nats://… or mqtt://…')
        .argParser(brokerUrl)
        .conflicts(['loss', 'seed', 'broker']),
    )
    .addOption(
      new Option('--broker <name>', 'start that broker for this run, and use it')
        .choices(['nats', 'mosquitto'])
        .conflicts(['loss', 'seed']),
    )
    .option('--quiet', 'print the results only', false)
    .addHelpText(
      'after',
      '\nExit code 0: the laws of every ledger hold. 1: one is broken, or a bad option. 130: interrupted.',
    )
    .showHelpAfterError('(--help lists the options)')
    .parse(args, { from: 'user' })
    .opts<DemoOptions>()
}

function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`It is a number from ${min} to ${max}.`)
  }
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number from 0 to 999999999.')
}

function brokerUrl(text: string): string {
  if (/^(nats|tls|mqtts?|mqtt\+wss?):\/\//.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError('It is a URL such as nats://127.0.0.1:4222 or mqtt://127.0.0.1:1883.')
}
