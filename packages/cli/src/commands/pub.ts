import type { Command } from 'commander'
import { CommandError, EXIT, type ExitCode } from '../base/exit-code.ts'
import { perform, type Run } from '../base/perform.ts'
import { withHub } from '../connection/hub-of.ts'

const EXAMPLES = `
Examples:
  rivulet pub positions '{"truck":7}' --url nats://127.0.0.1:4222`

/** Adds `rivulet pub`. */
export function addPub(program: Command): void {
  program
    .command('pub')
    .description('Publish messages.')
    .argument('<stream>', "the stream's name")
    .argument('<json>', 'the message, a JSON object')
    .addHelpText('after', EXAMPLES)
    .action(perform((run, options, stream: string, json: string) => publish(run, options, stream, json)))
}

async function publish(
  run: Run,
  options: Parameters<typeof withHub>[1],
  name: string,
  json: string,
): Promise<ExitCode> {
  const data = parse(json)
  return withHub(run, options, { mayBeLocal: true }, async (hub) => {
    const stream = hub.stream(name)
    stream.publish(data as Record<string, never>)
    await hub.flush({ signal: run.signal })
    const { accepted, confirmed, local } = stream.ledger()
    run.output.say(`published ${accepted}: ${confirmed} confirmed, ${local} local`)
    return confirmed + local === accepted ? EXIT.fine : EXIT.failed
  })
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new CommandError('The message is not JSON.', EXIT.refused, cause)
  }
}
