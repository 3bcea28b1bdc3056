# report.sh OUT: puts the sections together into OUT/report.md and prints its path, which is the plan's result.
. "$(dirname "$0")/section.sh"

# The checks: a row each, and the ends of those that failed.
if ls "$parts"/check-*.row >/dev/null 2>&1; then
    {
        printf '## Checks\n\nWhat its windlass.toml names, run on the clone:\n\n'
        printf '| check | command | outcome | took |\n|---|---|---|---:|\n'
        cat "$parts"/check-*.row
        cat "$parts"/check-*.end
    } | put checks.md
    passed=$(cat "$parts"/check-*.row | grep -c '| passed |') || passed=0
    all=$(cat "$parts"/check-*.row | wc -l | tr -d ' ')
    if [ "$passed" = "$all" ]; then printf 'All of its %s passed.\n' "$(count "$all" check)"
    else printf '**%s of its %s did not pass.**\n' "$((all - passed))" "$(count "$all" check)"; fi | put checks.line
fi

{
    printf '# %s, looked over\n\n' "$(cat "$parts/name")"
    cat "$parts/about"
    printf '\n'
    for name in inventory checks secrets marks licences hotspots; do
        [ ! -f "$parts/$name.line" ] || sed 's/^/- /' "$parts/$name.line"
    done
    for name in inventory checks secrets marks licences hotspots; do
        [ ! -f "$parts/$name.md" ] || { printf '\n'; cat "$parts/$name.md"; }
    done
    printf '\n## Its folders\n\n'
    if ls "$parts"/folder-*.row >/dev/null 2>&1; then
        printf '| folder | files | lines | mostly | longest file | commits | last change |\n|---|---:|---:|---|---|---:|---|\n'
        cat "$parts"/folder-*.row | sort -k1,1nr | cut -f 2-
    else
        echo 'None: everything lies at the top.'
    fi
    printf '\n## How this came about\n\n'
    [ ! -f "$parts/ticket.line" ] || cat "$parts/ticket.line"
    if [ -n "${WINDLASS_RUN:-}" ]; then
        printf 'Every step, with its attempts and its log: `windlass show %s`, `windlass events %s`.\n' "$WINDLASS_RUN" "$WINDLASS_RUN"
    fi
} >"$out/.report.md.$$"
mv "$out/.report.md.$$" "$out/report.md"

# What the checks built is large and of no more use.
clear_built "$out"
printf '%s\n' "$out/report.md"
