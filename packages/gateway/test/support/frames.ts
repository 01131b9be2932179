import { createHash, createHmac } from 'node:crypto'

/** The topic of a stream of the scene's hub. */
export function topicOf(name: string, hub = 'fleet'): string {
  return `rivulet/${hub}/${name}`
}

/** Of the sessions of all scenes. */
export const PREFIX_KEY = Buffer.alloc(32, 'key')

/** The secret that a page by hand shows. */
export function secretOf(name: string): string {
  return createHash('md5').update(name).digest('hex')
}

/** The prefixes of the sids of a page by hand, derived from its secret as the protocol says. */
export function prefixesOf(name: string, key: Uint8Array = PREFIX_KEY): string[] {
  const text = JSON.stringify(['fleet', secretOf(name)])
  return createHmac('sha256', key).update(text).digest('hex').match(/.{12}/g)?.slice(0, 4) ?? []
}

/** The first of them. */
export function prefixOf(name: string): string {
  return String(prefixesOf(name)[0])
}

/** A prefix of sids that no hub of a test has. */
export function prefix(letter: string): string {
  return letter.repeat(12)
}

/** A frame of one message, as the library writes it. */
export function frameOf(sender: string, sequence = 1, data: object = { n: sequence }): string {
  return `{"data":${JSON.stringify(data)},"sid":"${sidOf(sender, sequence)}","t":${sequence}}`
}

/** A mark of a trace, as a publisher writes it that traces. */
export const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** A frame of one message of a publisher that traces. */
export function tracedFrameOf(sender: string, sequence = 1, data?: object, trace = TRACE): string {
  return frameOf(sender, sequence, data).replace(',"sid":', `,"tp":"${trace}","sid":`)
}

/** A frame that ends a stream. */
export function removalOf(sender: string, sequence = 1): string {
  return `{"removed":true,"sid":"${sidOf(sender, sequence)}","t":${sequence}}`
}

export function sidOf(sender: string, sequence = 1): string {
  return `TZ${sender}0000${sequence.toString(16).padStart(16, '0')}`
}
