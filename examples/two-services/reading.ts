/** What the thermometer measured, and where. */
export interface Reading {
  readonly room: string
  readonly celsius: number
}
