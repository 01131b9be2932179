/** A measurement of the thermometer, and its room. */
export interface Reading {
  readonly room: string
  readonly celsius: number
}
