# check.sh OUT INDEX NAME COMMAND: one check of the repository, run in the clone. What it prints goes to standard
# error, so to `windlass logs`; it ends as the check ends, once the report knows of it.
. "$(dirname "$0")/section.sh"
index=$2
name=$3
command=$4

# Where it is asked to stop, what was built goes with it: the run may never be taken up again.
busy=$parts/.busy-$index
echo $$ >"$busy"
trap 'rm -f "$busy"' EXIT
trap 'rm -f "$busy"; clear_built "$out"; exit 143' TERM INT HUP

# Offline, and what it builds stays out of the clone and away from what anybody else builds.
export CARGO_NET_OFFLINE=true CARGO_TARGET_DIR="$out/target"
began=$(date +%s)
code=0
sh -c "$command" >"$parts/.check-$index.log" 2>&1 </dev/null || code=$?
took=$(($(date +%s) - began))
cat "$parts/.check-$index.log" >&2

if [ "$code" = 0 ]; then outcome=passed; else outcome="**failed** ($code)"; fi
in_cell() { printf '%s' "$1" | sed 's/|/\\|/g'; }
printf '| %s | `%s` | %s | %s s |\n' "$(in_cell "$name")" "$(in_cell "$command")" "$outcome" "$took" | put "check-$index.row"
if [ "$code" != 0 ]; then
    { printf '\nThe end of `%s`:\n\n```text\n' "$name"; tail -n 20 "$parts/.check-$index.log" | cut -c 1-200; printf '```\n'; }
fi | put "check-$index.end"
printf '{"name":%s,"code":%s,"seconds":%s}\n' "$(json "$name")" "$code" "$took"
exit "$code"
