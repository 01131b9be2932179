/** How something went, on the level of Twilsock. SDKs know some by the exact text of `status`. */
export interface TwilsockStatus {
  readonly code: number
  readonly status: string
  readonly description?: string
  readonly errorCode?: number
}

/** Texts and numbers are those of Twilio, on which its SDKs act. */
export const STATUS = {
  ok: { code: 200, status: 'OK' },
  badRequest: { code: 400, status: 'BAD_REQUEST', description: 'The request cannot be read' },
  invalidToken: {
    code: 401,
    status: 'UNAUTHORIZED',
    description: 'Invalid Access Token',
    errorCode: 20101,
  },
  expiredToken: {
    code: 401,
    status: 'UNAUTHORIZED',
    description: 'Access Token expired or expiration date invalid',
    errorCode: 20104,
  },
  otherIdentity: {
    code: 401,
    status: 'UNAUTHORIZED',
    description: "Can't update token, new token was issued for other identity/instance/product.",
    errorCode: 51215,
  },
  notInitialized: { code: 401, status: 'UNAUTHORIZED', description: 'The first request is init' },
  notAFrame: {
    code: 406,
    status: 'NOT_ACCEPTABLE_MESSAGE',
    description: 'Not acceptable message',
    errorCode: 51214,
  },
  tooManyRequests: {
    code: 429,
    status: 'TOO_MANY_REQUESTS',
    description: 'Too many requests wait for an answer',
    errorCode: 51202,
  },
  tooManyConnections: {
    code: 429,
    status: 'TOO_MANY_REQUESTS',
    description: 'Too many connections of this identity',
    errorCode: 51202,
  },
} as const satisfies Record<string, TwilsockStatus>
