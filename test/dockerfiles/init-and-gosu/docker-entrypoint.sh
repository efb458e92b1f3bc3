#!/bin/sh
# listen
exec "$@"
