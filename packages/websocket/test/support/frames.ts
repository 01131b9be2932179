/** The topic of a stream of the scene's hub. */
export function topicOf(name: string, hub = 'fleet'): string {
  return `rivulet/${hub}/${name}`
}

/** A prefix of sids that no hub of a test has. */
export function prefix(letter: string): string {
  return letter.repeat(12)
}

/** A frame of one message, as the library writes it. */
export function frameOf(sender: string, sequence = 1, data: object = { n: sequence }): string {
  return `{"data":${JSON.stringify(data)},"sid":"${sidOf(sender, sequence)}","t":${sequence}}`
}

/** A frame that ends a stream. */
export function removalOf(sender: string, sequence = 1): string {
  return `{"removed":true,"sid":"${sidOf(sender, sequence)}","t":${sequence}}`
}

export function sidOf(sender: string, sequence = 1): string {
  return `TZ${sender}0000${sequence.toString(16).padStart(16, '0')}`
}
