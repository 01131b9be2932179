import type { Transport } from 'rivulet'
import { invalidOptions } from 'rivulet/adapter'
import { threads } from './threads.ts'

/** Makes a transport from one `threads:name` URL. Throws `INVALID_OPTIONS`. */
export function transportFromUrls(urls: readonly string[]): Transport {
  const [url] = urls
  if (url === undefined || urls.length > 1) {
    throw invalidOptions(`A bus between threads has one URL, threads:name, not ${urls.length}.`)
  }
  const [, name, alone] = /^threads:([^?]*)(?:\?alone=(true|false))?$/i.exec(url) ?? []
  if (name === undefined) {
    throw invalidOptions('The URL of a bus between threads is threads:name or threads:name?alone=true.')
  }
  return threads({ name, alone: alone === 'true' })
}
