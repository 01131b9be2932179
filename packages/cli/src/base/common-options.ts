import type { Command } from 'commander'
import { durationMs } from './quantity.ts'

/** The options of every command, as commander parses them. */
export interface CommonOptions {
  /** URLs of one hub's servers. */
  readonly url?: readonly string[]
  readonly hub?: string
  readonly context?: string
  /** Time to wait for the broker, in ms. */
  readonly wait?: number
  readonly json?: true
  readonly quiet?: true
  /** True unless `--no-color` was given. */
  readonly color: boolean
}

/** Adds them to the program: they may precede or follow the command's name. */
export function addCommonOptions(program: Command): void {
  const list = (value: string, before: readonly string[] = []) => [...before, value]
  program
    .option(
      '--url <url>',
      "a broker's URL; repeatable for the servers of one cluster (env: RIVULET_URL)",
      list,
    )
    .option('--hub <name>', "the hub's name (env: RIVULET_HUB; default: default)")
    .option('--context <name>', 'a context made by "rivulet context add" (env: RIVULET_CONTEXT)')
    .option('--wait <duration>', 'how long to wait for the broker (default: 10s)', durationMs)
    .option('--json', 'print data and summaries as JSON')
    .option('-q, --quiet', 'say nothing on standard error but errors')
    .option('--no-color', 'print without colours (env: NO_COLOR, FORCE_COLOR)')
}
