#!/bin/sh
# Start the Lambda runtime: directly if AWS_LAMBDA_RUNTIME_API is set, as on AWS, otherwise with the emulator.
[ $# -eq 1 ] || { echo "lambda-entrypoint.sh: takes one argument, the handler, for example runner.function.handler.handler" >&2; exit 142; }
export _HANDLER="$1"
[ -n "${AWS_LAMBDA_RUNTIME_API:-}" ] && exec "$LAMBDA_RUNTIME_DIR/bootstrap"
exec /usr/local/bin/aws-lambda-rie "$LAMBDA_RUNTIME_DIR/bootstrap"
