import type { StreamRecord } from '../registry/stream-record.ts'

/** Gives a stream as Twilio's API shows it. `url` is its own, which is absolute. */
export function streamResource(
  record: StreamRecord,
  accountSid: string,
  url: string,
): Record<string, unknown> {
  return {
    sid: record.sid,
    unique_name: record.uniqueName,
    account_sid: accountSid,
    service_sid: record.serviceSid,
    url,
    links: { messages: `${url}/Messages` },
    // Always there: the SDK reads an absent date as "now".
    date_expires: record.expiresMs === null ? null : isoSeconds(record.expiresMs),
    date_created: isoSeconds(record.createdMs),
    date_updated: isoSeconds(record.updatedMs),
    created_by: record.createdBy,
  }
}

/** Writes a time as Twilio does: ISO 8601 with whole seconds. */
export function isoSeconds(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z')
}
