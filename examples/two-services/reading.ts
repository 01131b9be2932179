/** What the two services talk about. */
export interface Reading {
  readonly room: string
  readonly celsius: number
}
