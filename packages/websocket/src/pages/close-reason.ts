const MAX_REASON_BYTES = 120

/** Shortens a reason to what a close frame takes (RFC 6455, 5.5: 125 bytes with the code). */
export function closeReason(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= MAX_REASON_BYTES) return text
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES)).replace(/\uFFFD$/, '')
}
