import { objectOf, PAGE_SECRET, PROTOCOL_VERSION } from '@rivulet/websocket/protocol'

/** The first message of a page, checked. */
export interface Hello {
  readonly hub: string
  readonly secret: string
  readonly token: string | undefined
  /** Whether the page takes messages of the kind `progress`: earlier ones do not. */
  readonly takesProgress: boolean
}

const HUB_NAME = /^[A-Za-z0-9_-]{1,64}$/

/** Reads the first message of a page, or says in words what is wrong with it. */
export function readHello(bytes: Uint8Array): Hello | string {
  const { version, hub, secret, token, progress } = objectOf(bytes)
  if (version !== PROTOCOL_VERSION) return `the server speaks version ${PROTOCOL_VERSION} of the protocol`
  if (typeof hub !== 'string' || !HUB_NAME.test(hub)) return 'the hello names no hub'
  if (token !== undefined && typeof token !== 'string') return 'the token is no string'
  if (typeof secret !== 'string' || !PAGE_SECRET.test(secret)) return 'the secret has not 32 hex digits'
  return { hub, secret, token, takesProgress: progress === true }
}
