#!/bin/sh
exec /opt/gatehouse/bin/gatehouse "$@"
