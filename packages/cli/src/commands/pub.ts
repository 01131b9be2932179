import type { Command } from 'commander'
import type { Hub } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import type { ExitCode } from '../base/exit-code.ts'
import { perform, type Run } from '../base/perform.ts'
import { countFrom1, durationMs, ratePerSecond } from '../base/quantity.ts'
import { standardInput } from '../base/standard-input.ts'
import { withHub } from '../connection/hub-of.ts'
import { messageTexts } from '../pub/message-source.ts'
import { limitOf, Publisher } from '../pub/publisher.ts'
import { exitCodeOf, sentenceOf } from '../pub/summary.ts'
import { templateOf } from '../pub/template.ts'

const EXAMPLES = `
Placeholders in the argument: {{n}} the message's number, {{now}} milliseconds since 1970, {{uuid}},
{{random a b}} a number from a to b.

Examples:
  rivulet pub positions '{"truck":7,"lat":52.1}' --url nats://127.0.0.1:4222
  rivulet pub positions '{"n":{{n}},"at":{{now}},"lat":{{random 51.0 53.0}}}' --every 1s
  tail -f positions.ndjson | rivulet pub positions
  rivulet pub positions --latest truck < positions.ndjson

Exit codes: 0 all were confirmed, or stayed here; 1 some were lost or not confirmed; 2 some were refused; 3 the broker
is away.`

interface PubOptions extends CommonOptions {
  readonly count?: number
  readonly every?: number
  readonly rate?: number
  readonly latest?: string
}

/** Adds `rivulet pub`. */
export function addPub(program: Command): void {
  program
    .command('pub')
    .summary('publish messages')
    .description('Publish a message, or the lines of standard input as they come: one JSON object in each.')
    .argument('<stream>', "the stream's name")
    .argument('[json]', 'the message, a JSON object; without it, lines of standard input')
    .option('-n, --count <number>', 'how many messages (default: one argument, all lines)', countFrom1)
    .option(
      '--every <duration>',
      'the time from one message to the next; without --count until Ctrl-C',
      durationMs,
    )
    .option('--rate <number>', "messages a second, in place of the stream's limit of 30", ratePerSecond)
    .option(
      '--latest <key>',
      'while there is no room, keep only the newest message for each value of this member',
    )
    .addHelpText('after', EXAMPLES)
    .action(perform<PubOptions, [string, string | undefined]>(publish))
}

async function publish(
  run: Run,
  options: PubOptions,
  name: string,
  text: string | undefined,
): Promise<ExitCode> {
  const { signal, output } = run
  // Reports unusable standard input before opening anything.
  if (text === undefined) standardInput()
  else templateOf(text)
  return withHub(run, options, { mayBeLocal: true }, async (hub, { urls }) => {
    if (urls.length === 0) output.say('There is no URL of a broker: the messages stay in this process.')
    const { rate, latest, count, every } = options
    const publisher = new Publisher(hub, name, output, { ratePerSecond: rate, latestBy: latest })
    if (rate !== undefined) output.say(limitSentence(rate))
    if (text === undefined && process.stdin.isTTY) output.say('Type a JSON object in each line; Ctrl-D ends.')
    const texts = messageTexts({ text, count, everyMs: every }, signal)
    try {
      for await (const next of texts) await publisher.publish(next, signal)
    } catch (error) {
      if (!signal.aborted) {
        // The summary includes the messages published before the error.
        await summed(run, hub, name, publisher)
        throw error
      }
    }
    return summed(run, hub, name, publisher)
  })
}

/** Waits until the broker has every message, and prints their outcomes. */
async function summed(
  { signal, output }: Run,
  hub: Hub,
  name: string,
  publisher: Publisher,
): Promise<ExitCode> {
  const ledger = await publisher.finish(hub, signal)
  const summary = { stream: name, hub: hub.name, unreadable: publisher.unreadable, ledger }
  output.say(sentenceOf(summary))
  if (output.isJson) output.line(JSON.stringify(summary))
  return exitCodeOf(summary, signal.aborted)
}

function limitSentence(rate: number): string {
  const { ratePerSecond, burst } = limitOf(rate)
  const limit = `{ ratePerSecond: ${ratePerSecond}, burst: ${burst} }`
  const advice =
    rate > 30 ? '; subscribers of the usual limit drop what is above it, so give them the same' : ''
  return `The stream's limit is ${limit} here${advice}.`
}
