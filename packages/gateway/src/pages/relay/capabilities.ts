import type { Capabilities, Transport } from 'rivulet'

const ALONE: Capabilities = {
  scope: 'network',
  echoes: false,
  ordered: true,
  watch: true,
  maxFrameBytes: () => Infinity,
}

/** Reads what upstream claims at each use: it may change with the connection. */
export function capabilitiesOver(upstream: Transport | undefined): Capabilities {
  const claimed = () => upstream?.capabilities ?? ALONE
  return {
    scope: 'network',
    get echoes() {
      return claimed().echoes
    },
    get ordered() {
      return claimed().ordered
    },
    get watch() {
      return claimed().watch
    },
    get prefixes() {
      return claimed().prefixes
    },
    maxFrameBytes: (topic) => claimed().maxFrameBytes(topic),
  }
}
