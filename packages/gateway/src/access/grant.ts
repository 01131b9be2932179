import { invalid } from '../base/invalid.ts'

/** An action that a grant may allow: `manage` is to create, list, change and remove streams. Each also allows to fetch one. */
export type Action = 'publish' | 'listen' | 'manage'

/** Allows some actions on some streams. */
export interface Grant {
  /** The sid of a service, or `'*'`. @default '*' */
  readonly service?: string | undefined
  /**
   * A pattern of stream names, where `*` matches any text: `orders/*`. Anonymous streams have names like
   * `anonymous/<hex>`. @default '*'
   */
  readonly streams?: string | undefined
  /** The actions that are allowed there. */
  readonly allow: readonly Action[]
}

/** Returns whether an action on a stream of that name is allowed; without a name, on any stream of the service. */
export type Permission = (action: Action, serviceSid: string, streamName?: string) => boolean

const ACTIONS: readonly string[] = ['publish', 'listen', 'manage']
const GRANT_FIELDS = ['service', 'streams', 'allow']
// Tokens bring grants of their own, so there is a bound on the work that they make.
const MAX_GRANTS = 64
const MAX_PATTERN_LENGTH = 320

/** Checks grants, which may come from a file or a token. Throws `INVALID_OPTIONS`. */
export function permissionOf(grants: unknown): Permission {
  if (!Array.isArray(grants) || grants.length > MAX_GRANTS) {
    throw invalid(`Grants are a list of at most ${MAX_GRANTS} objects { service, streams, allow }.`)
  }
  const checked = grants.map(checkGrant)
  return (action, serviceSid, streamName) =>
    checked.some(({ service = '*', streams = '*', allow }) => {
      if (!allow.includes(action) || (service !== '*' && service !== serviceSid)) return false
      return streamName === undefined || matches(streams, streamName)
    })
}

/** Returns whether a text fits a pattern in which `*` matches any text. In time linear in each. */
export function matches(pattern: string, text: string): boolean {
  if (pattern === '*') return true
  const [head = '', ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined) return pattern === text
  if (!text.startsWith(head) || !text.endsWith(tail) || text.length < head.length + tail.length) return false
  const end = text.length - tail.length
  let position = head.length
  for (const part of rest) {
    const found = text.indexOf(part, position)
    if (found === -1 || found + part.length > end) return false
    position = found + part.length
  }
  return true
}

function checkGrant(grant: unknown): Grant {
  if (typeof grant !== 'object' || grant === null) throw invalid('A grant is { service, streams, allow }.')
  const { service = '*', streams = '*', allow } = grant as Record<string, unknown>
  const stray = Object.keys(grant).find((field) => !GRANT_FIELDS.includes(field))
  if (stray !== undefined) throw invalid(`A grant has ${GRANT_FIELDS.join(', ')}, and no other field.`)
  const isPattern = typeof streams === 'string' && streams.length <= MAX_PATTERN_LENGTH
  if (typeof service !== 'string' || !isPattern) {
    throw invalid(
      'The service of a grant is a sid or "*"; its streams are a pattern of at most 320 characters.',
    )
  }
  if (!Array.isArray(allow) || !allow.every((action) => ACTIONS.includes(action))) {
    throw invalid('A grant allows a list of "publish", "listen" and "manage".')
  }
  return Object.freeze({ service, streams, allow: [...allow] })
}
