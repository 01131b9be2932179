import type { Transport } from 'rivulet'
import { invalid } from './options.ts'
import { threads } from './threads.ts'

/** Makes a transport from one `threads:name` URL. Throws `INVALID_OPTIONS`. */
export function transportFromUrls(urls: readonly string[]): Transport {
  const [url] = urls
  if (url === undefined || urls.length > 1) {
    throw invalid(`A bus between threads has one URL, threads:name, not ${urls.length}.`)
  }
  const [, name] = /^threads:([^?]*)$/i.exec(url) ?? []
  if (name === undefined) throw invalid('The URL of a bus between threads is threads:name.')
  return threads(name)
}
