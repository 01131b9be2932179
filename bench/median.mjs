/** Returns the middle value, or the mean of the middle two. */
export function median(values) {
  return percentile(values, 0.5)
}

/** Returns the value below which the given share (0 to 1) lies, interpolated. */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort()
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)]
  return below + (sorted[Math.ceil(place)] - below) * (place - Math.floor(place))
}
