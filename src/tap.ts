export { tapHub } from './hub/tap-hub.ts'
export { Tap, type TapListener, type TappedStream } from './tap/tap.ts'
