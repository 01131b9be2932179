/** Takes the gateway's log lines; a pino logger fits. Lines hold no payload, secret, query or path. */
export interface GatewayLog {
  /** Every request. */
  debug(fields: object, message: string): void
  /** What went well and is worth knowing. */
  info(fields: object, message: string): void
  /** What somebody should look at. */
  warn(fields: object, message: string): void
  /** What is wrong with the gateway itself. */
  error(fields: object, message: string): void
}

/** Throws every line away. */
export const SILENT_LOG: GatewayLog = { debug() {}, info() {}, warn() {}, error() {} }
