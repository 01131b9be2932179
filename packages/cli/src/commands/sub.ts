import type { Command } from 'commander'
import type { CommonOptions } from '../base/common-options.ts'
import { countText } from '../base/count-text.ts'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import { perform, type Run } from '../base/perform.ts'
import { countFrom1, durationMs } from '../base/quantity.ts'
import { withHub } from '../connection/hub-of.ts'
import { schemaOf } from '../sub/json-schema.ts'
import { type FormatOptions, formatOf } from '../sub/message-format.ts'
import { Subscriber } from '../sub/subscriber.ts'
import { exitCodeOf, gapSentenceOf, sentenceOf } from '../sub/summary.ts'

const STATS_EVERY_MS = 1000

const EXAMPLES = `
On a terminal a message is a line for people, on a pipe a record of NDJSON (on a terminal with --json):
  {"data":{"truck":7},"receivedAt":"2026-01-31T12:00:00.000Z","sid":"…","stream":"positions"}

After an interruption of the connection standard error says since when messages may be missing, and how many are once
that shows; with --json as {"gap":{"missed":3,"since":"2026-01-31T12:00:00.000Z"},"stream":"positions"}.

Placeholders of --format: {{stream}} {{sid}} {{receivedAt}} {{data}}, and {{data.a.b}} for what is inside.

Examples:
  rivulet sub positions alarms --url nats://127.0.0.1:4222
  rivulet sub positions --count 1 --for 10s
  rivulet sub positions --format '{{data.truck}} {{data.lat}}'
  rivulet sub positions --raw | jq .lat

Exit codes: 0 fine; 1 messages were missed, dropped or not printed, or fewer came than --count; 2 the subscription was refused, or
messages did not fit the schema; 3 the broker is away.`

interface SubOptions extends CommonOptions, FormatOptions {
  readonly count?: number
  readonly for?: number
  readonly idle?: number
  readonly schema?: string
  readonly stats?: true
}

/** Adds `rivulet sub`. */
export function addSub(program: Command): void {
  program
    .command('sub')
    .summary('print messages')
    .description('Subscribe to streams, and print their messages until Ctrl-C.')
    .argument('<stream...>', 'names of streams')
    .option('-n, --count <number>', 'end after so many messages', countFrom1)
    .option('--for <duration>', 'end after so long', durationMs)
    .option('--idle <duration>', 'end when so long no message came', durationMs)
    .option('--raw', "print each message's data only, as JSON")
    .option('--format <text>', 'print this text for each message, with placeholders')
    .option('--schema <file>', 'a JSON Schema; what does not fit is dropped and counted')
    .option('--stats', 'say each second how many came')
    .addHelpText('after', EXAMPLES)
    .action(perform<SubOptions, [string[]]>(subscribe))
}

async function subscribe(run: Run, options: SubOptions, names: string[]): Promise<ExitCode> {
  const { signal, output } = run
  const format = formatOf(options, output)
  const schema = options.schema === undefined ? undefined : schemaOf(options.schema)
  return withHub(run, options, {}, async (hub) => {
    const { count, for: forMs, idle: idleMs } = options
    const subscriber = new Subscriber(hub, names, schema, { count, forMs, idleMs })
    const say = () => output.say(sentenceOf(subscriber.received, subscriber.ledger()))
    const stats = options.stats === true ? setInterval(say, STATS_EVERY_MS) : undefined
    try {
      await subscriber.run(signal, {
        subscribed: (confirmed) => output.say(`subscribed to ${confirmed.join(', ')} of hub ${hub.name}`),
        removed: (name) => output.say(`The stream ${name} was removed; subscribing again …`),
        gap: (gap) => output.say(gapSentenceOf(gap, output.isJson)),
        take: (record) => output.offer(format(record)),
      })
    } finally {
      clearInterval(stats)
    }
    say()
    if (output.dropped > 0) {
      output.warn(`${countText(output.dropped, 'message')} not printed, since the reader was too slow.`)
      return EXIT.failed
    }
    return exitCodeOf(subscriber.ledger(), subscriber.isComplete || signal.aborted)
  })
}
