/** What a trip over JSON makes of a value: the model of a snapshot. */
export function jsonOf(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
