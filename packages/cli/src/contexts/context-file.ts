import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { CommandError, EXIT } from '../base/exit-code.ts'

/** A named location of a hub. */
export interface Context {
  /** URLs of the servers, with references instead of secrets. */
  readonly urls: readonly string[]
  readonly hub?: string
}

/** All contexts of a user. */
export interface Contexts {
  /** The name of the default context. */
  readonly current?: string
  readonly contexts: Readonly<Record<string, Context>>
}

const NOBODY_ELSE_READS = 0o600
const NOBODY_ELSE_ENTERS = 0o700
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** Returns the path of the contexts, in the user's configuration folder. */
function contextFile(): string {
  const { XDG_CONFIG_HOME } = process.env
  return join(XDG_CONFIG_HOME || join(homedir(), '.config'), 'rivulet', 'contexts.json')
}

/** Reads the contexts; none without a file. */
export function readContexts(): Contexts {
  const file = contextFile()
  let read: unknown
  try {
    read = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} }
    throw unreadable(file, cause)
  }
  if (!areContexts(read)) throw unreadable(file)
  return read
}

/** Replaces the file atomically: a reader finds the old contexts or the new ones. */
export function writeContexts(contexts: Contexts): void {
  const file = contextFile()
  mkdirSync(dirname(file), { recursive: true, mode: NOBODY_ELSE_ENTERS })
  const next = `${file}.${process.pid}`
  writeFileSync(next, `${JSON.stringify(contexts, undefined, 2)}\n`, { mode: NOBODY_ELSE_READS })
  renameSync(next, file)
}

/** Returns a context by its name. */
export function contextOf({ contexts }: Contexts, name: string): Context {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined
  if (context !== undefined) return context
  const names = Object.keys(contexts).sort().join(', ')
  throw new CommandError(
    `There is no context "${name}"; ${names === '' ? 'make one with: rivulet context add NAME URL' : `there are ${names}.`}`,
  )
}

/** Checks the name of a new context. */
export function checkContextName(name: string): void {
  if (NAME.test(name)) return
  throw new CommandError(
    `A context's name has up to 64 of A-Z a-z 0-9 _ . - and begins with a letter or a digit.`,
  )
}

function areContexts(value: unknown): value is Contexts {
  const { contexts, current } = (value ?? {}) as Partial<Contexts>
  if (typeof contexts !== 'object' || contexts === null) return false
  if (current !== undefined && typeof current !== 'string') return false
  return Object.values(contexts).every(
    (context) =>
      Array.isArray(context?.urls) &&
      context.urls.every((url) => typeof url === 'string') &&
      (context.hub === undefined || typeof context.hub === 'string'),
  )
}

function unreadable(file: string, cause?: unknown): CommandError {
  return new CommandError(
    `The contexts in ${file} can't be read; mend the file, or remove it.`,
    EXIT.failed,
    cause,
  )
}
