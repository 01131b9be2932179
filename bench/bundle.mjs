import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The checkout whose Rivulet is measured: this one, or the one of `--against`. */
export const CHECKOUT = process.env.RIVULET_CHECKOUT ?? join(import.meta.dirname, '..')

/** Rivulet as built there. */
export const { createHub, openHub } = await import(pathToFileURL(join(CHECKOUT, 'dist', 'index.js')))
