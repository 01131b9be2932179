import type { Transport } from 'rivulet'
import { invalidOptions } from 'rivulet/adapter'
import type { RecordedTime, ReplayOptions } from './options.ts'
import { replay } from './replay.ts'

const SCHEME = 'replay:'

/**
 * Makes the transport of a URL: `replay:recording.ndjson?speed=2&loop=true&rename=a=b`. The path is percent-decoded.
 * Parameters are the options of `replay` except `ended`; `rename` may be repeated; `from` and `to` are milliseconds or
 * ISO dates. Throws `INVALID_OPTIONS`.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const [url = '', ...others] = urls
  if (others.length > 0) throw invalidOptions('A replay has one URL: that of one recording.')
  const [path = '', query = ''] = url.slice(SCHEME.length).split(/\?(.*)/s)
  return replay({ file: decoded(path), ...optionsOf(query) })
}

function optionsOf(query: string): Omit<ReplayOptions, 'file'> {
  const options: Record<string, unknown> = {}
  const rename: Record<string, string> = {}
  for (const parameter of query.split('&').filter((text) => text !== '')) {
    const [name = '', value = ''] = parameter.split(/=(.*)/s)
    if (name === 'rename') {
      const [before = '', after = ''] = value.split(/=(.*)/s).map(decoded)
      if (after === '') throw invalidOptions('Names are given as rename=before=after.')
      rename[before] = after
    } else if (Object.hasOwn(VALUES, name)) {
      if (name in options) throw invalidOptions(`The URL of a replay gives "${name}" twice.`)
      options[name] = VALUES[name as keyof typeof VALUES](decoded(value))
    } else {
      throw invalidOptions(`There is no "${name}" in the URL of a replay; there are ${NAMES}.`)
    }
  }
  return { ...options, rename }
}

// An unreadable value stays a string, which the options refuse.
const flagOf = (text: string) => (text === 'true' ? true : text === 'false' ? false : text)
// `Date` would read a day past the end of a month as one of the next month.
const isDay = (day: string) => new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day)
const timeOf = (text: string): RecordedTime | string =>
  /^\d+$/.test(text) ? Number(text) : isDay(text.slice(0, 10)) ? new Date(text) : text

const VALUES = {
  speed: (text: string) => (text === 'max' ? text : Number(text)),
  loop: flagOf,
  from: timeOf,
  to: timeOf,
  skipBad: flagOf,
  end: (text: string) => text,
}
const NAMES = [...Object.keys(VALUES), 'rename'].join(', ')

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidOptions('The URL of a replay is percent-encoded; a bare % is written %25.')
  }
}
