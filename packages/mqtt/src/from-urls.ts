import type { Transport } from 'rivulet'
import { invalid } from './invalid.ts'
import { mqtt } from './mqtt.ts'
import type { MqttOptions } from './options.ts'
import { parseUrl } from './server.ts'

type Parameter = 'prefix' | 'clientId' | 'protocol'

/**
 * Makes a transport from URLs: `mqtt:`, `mqtts:`, `mqtt+ws:` and `mqtt+wss:`, with percent-encoded credentials and
 * `?prefix=…&clientId=…&protocol=4`. Several URLs name servers of one cluster; a parameter of one holds for all.
 * Throws `INVALID_OPTIONS` for an unknown parameter, or one with two values.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const parameters = new Map<Parameter, string>()
  const servers = urls.map((text) => {
    const url = parseUrl(text)
    for (const [name, value] of url.searchParams) addParameter(parameters, name, value)
    url.search = ''
    return url.href
  })
  return mqtt({
    url: servers,
    prefix: parameters.get('prefix'),
    clientId: parameters.get('clientId'),
    protocol: protocolOf(parameters.get('protocol')),
  })
}

function addParameter(parameters: Map<Parameter, string>, name: string, value: string): void {
  if (name !== 'prefix' && name !== 'clientId' && name !== 'protocol') {
    // A name of another form may be a piece of a password that was not percent-encoded.
    const which = /^[A-Za-z]+$/.test(name) ? ` "${name}"` : ''
    throw invalid(`unknown parameter${which} in the URL; it takes prefix, clientId, protocol (and name).`)
  }
  const known = parameters.get(name)
  if (known !== undefined && known !== value) throw invalid(`the URLs give two different values of ${name}.`)
  parameters.set(name, value)
}

function protocolOf(value: string | undefined): MqttOptions['protocol'] {
  if (value === undefined || value === '4' || value === '5') return value && (Number(value) as 4 | 5)
  throw invalid(`protocol is 4 or 5, not ${JSON.stringify(value)}.`)
}
