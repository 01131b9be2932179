/** Takes the gateway's log lines; a pino logger fits. Lines hold no payload, secret, query or path. */
export interface GatewayLog {
  /** Every request. */
  debug(fields: object, message: string): void
  /** Normal events. */
  info(fields: object, message: string): void
  /** Events that need attention. */
  warn(fields: object, message: string): void
  /** Faults of the gateway. */
  error(fields: object, message: string): void
}

/** Throws every line away. */
export const SILENT_LOG: GatewayLog = { debug() {}, info() {}, warn() {}, error() {} }
