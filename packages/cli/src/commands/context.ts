import type { Command } from 'commander'
import { createHub } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import { CommandError, EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Output } from '../base/output.ts'
import { perform } from '../base/perform.ts'
import { printable } from '../base/printable.ts'
import { checkContextName, contextOf, readContexts, writeContexts } from '../contexts/context-file.ts'
import { checkNoSecret, checkTaken } from '../contexts/secret-reference.ts'

const EXAMPLES = `
Secrets are not kept: a URL has \${NAME} in their place for a variable of the environment, or \${file:PATH} for the
content of a file.

Examples:
  rivulet context add local nats://127.0.0.1:4222 --use
  rivulet context add fleet 'nats://ann:\${NATS_PASSWORD}@nats.example:4222' --hub fleet
  rivulet sub positions --context fleet
  rivulet context use fleet`

interface AddOptions extends CommonOptions {
  readonly use?: true
}

/** Adds `rivulet context` with its own commands. */
export function addContext(program: Command): void {
  const context = program
    .command('context')
    .summary('name URLs and hubs')
    .description("Keep URLs and hubs by names, in the user's folder of configurations.")
    .addHelpText('after', EXAMPLES)
  context
    .command('add')
    .description('Keep a context, in place of one of the same name. The first one becomes the current one.')
    .argument('<name>', 'its name')
    .argument('[url...]', "a broker's URL, or several of one cluster; the hub is that of --hub")
    .option('--use', 'make it the current one')
    .action(
      perform<AddOptions, [string, string[]]>(async ({ output }, options, ...args) =>
        add(output, options, ...args),
      ),
    )
  context
    .command('use')
    .description('Make a context the current one.')
    .argument('<name>', 'its name')
    .action(perform<object, [string]>(async ({ output }, _, name) => use(output, name)))
  context
    .command('ls')
    .description('List the contexts; the current one has a star.')
    .action(perform<object, []>(async ({ output }) => list(output)))
  context
    .command('rm')
    .description('Forget a context.')
    .argument('<name>', 'its name')
    .action(perform<object, [string]>(async ({ output }, _, name) => remove(output, name)))
}

async function add(
  output: Output,
  { hub, url, use }: AddOptions,
  name: string,
  given: string[],
): Promise<ExitCode> {
  const urls = [...given, ...(url ?? [])]
  if (urls.length === 0) throw new CommandError('Give the URL of a broker: rivulet context add NAME URL.')
  checkContextName(name)
  for (const each of urls) {
    if (!/^[a-z][a-z0-9+.-]*:\S+$/i.test(each)) throw new CommandError('A URL is such as nats://host:4222.')
    checkNoSecret(each)
  }
  await checkTaken(urls)
  // A hub without a transport: it throws for an invalid name.
  if (hub !== undefined) await createHub({ name: hub }).close()
  const { current, contexts } = readContexts()
  const context = { urls, ...(hub !== undefined && { hub }) }
  const now = use === true || current === undefined ? name : current
  writeContexts({ current: now, contexts: { ...contexts, [name]: context } })
  output.say(`kept ${name}${now === name ? ', the current context' : ''}`)
  return EXIT.fine
}

function use(output: Output, name: string): ExitCode {
  const contexts = readContexts()
  contextOf(contexts, name)
  writeContexts({ ...contexts, current: name })
  output.say(`the current context is ${name}`)
  return EXIT.fine
}

function list(output: Output): ExitCode {
  const { current, contexts } = readContexts()
  const names = Object.keys(contexts).sort()
  if (output.isJson) {
    const rows = names.map((name) => ({ name, isCurrent: name === current, ...contexts[name] }))
    output.line(JSON.stringify(rows))
    return EXIT.fine
  }
  if (names.length === 0) output.say('There are no contexts; make one with: rivulet context add NAME URL')
  const width = Math.max(...names.map((name) => printable(name).length))
  for (const name of names) {
    const { urls, hub } = contextOf({ contexts }, name)
    const place = printable(`${urls.join(' ')}${hub === undefined ? '' : `  hub ${hub}`}`)
    const row = `${printable(name).padEnd(width)}  ${place}`
    output.line(name === current ? output.styled('bold', `* ${row}`) : `  ${row}`)
  }
  return EXIT.fine
}

function remove(output: Output, name: string): ExitCode {
  const all = readContexts()
  contextOf(all, name)
  const { [name]: _, ...contexts } = all.contexts
  writeContexts({ ...(all.current !== name && { current: all.current }), contexts })
  output.say(`removed ${name}${all.current === name ? '; there is no current context now' : ''}`)
  return EXIT.fine
}
