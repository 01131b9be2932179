#!/bin/sh
# Publishes measurements without Rivulet. Usage: measure.sh <port>
set -eu
publish() {
  mosquitto_pub -h 127.0.0.1 -p "$1" -t rivulet/default/sensors -m "$2"
}
publish "$1" '{"data":{"sensor":"attic","celsius":21}}'
publish "$1" '{"data":{"sensor":"cellar","celsius":23}}'
# This is no frame: the receiver drops and counts it, and calls no subscriber.
publish "$1" 'celsius=25'
