#!/usr/bin/env bash
# The step of action.yml. Exits with the status of `statuswatch gate`; with GATE_FAIL=false, with 0 for a verdict.
set -uo pipefail

args=(gate "--needs=$GATE_NEEDS" "--min-impact=$GATE_MIN_IMPACT")
[ -z "$GATE_MAX_AGE" ] || args+=("--max-age=$GATE_MAX_AGE")
[ -z "$GATE_WAIT" ] || args+=("--wait=$GATE_WAIT")
[ -z "$GATE_ON_UNKNOWN" ] || args+=("--on-unknown=$GATE_ON_UNKNOWN")
[ -z "$GATE_STATE" ] || args+=("--state=$GATE_STATE")

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$GATE_PROGRAM" "${args[@]}" >"$dir/out" 2>"$dir/err"
status=$?

# The last line is "VERDICT: REASON". An error has its reason in the first line of standard error.
case $status in
  0) verdict=pass ;;
  10) verdict=hold ;;
  11) verdict=unknown ;;
  *) verdict=error ;;
esac
if [ "$verdict" = error ]; then
  reason=$(head -n 1 "$dir/err")
else
  reason=$(tail -n 1 "$dir/out")
  reason=${reason#"$verdict: "}
fi
# One line, whatever it contains: a second line would be a second output.
reason=$(printf '%s' "$reason" | tr -d '\r\n')
printf 'verdict=%s\nreason=%s\n' "$verdict" "$reason" >>"$GITHUB_OUTPUT"

# A provider's text must not be taken for a command of the workflow.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '::stop-commands::%s\n' "$token"
cat "$dir/out" "$dir/err"
printf '::%s::\n' "$token"

if [ "$verdict" != error ] && [ "$GATE_FAIL" = false ]; then
  exit 0
fi
exit "$status"
