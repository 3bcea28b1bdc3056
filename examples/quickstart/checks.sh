# checks.sh OUT: what [checks] of the repository's windlass.toml names, as a JSON list of {name, command}.
# Empty where there is none, and inside another run of Windlass: there the checks may be what started that run.
. "$(dirname "$0")/section.sh"

none() { printf '## Checks\n\n%s\n' "$1" | put checks.md; printf '%s\n' "$1" | put checks.line; echo '[]'; exit 0; }

# Every run around an attempt has left its mark here, and one is our own.
marks=$(printf '%s' "${WINDLASS_OWNERS:-}" | tr -c -d '|' | wc -c)
[ "$marks" -le 1 ] || none 'Its own checks were left out: this run was started within another.'
[ -f windlass.toml ] || none 'It names no checks of its own (`[checks]` in a windlass.toml would).'

# name = "command" or name = '"'command'"', a line each. A basic string of TOML is escaped as one of JSON is.
awk '
    /^[ \t]*\[/ { inside = ($0 ~ /^[ \t]*\[checks\][ \t]*(#.*)?$/); next }
    !inside || /^[ \t]*(#.*)?$/ { next }
    {
        at = index($0, "=")
        name = substr($0, 1, at - 1); rest = substr($0, at + 1)
        gsub(/^[ \t"\047]+|[ \t"\047]+$/, "", name); sub(/^[ \t]+/, "", rest)
        quote = substr(rest, 1, 1); rest = substr(rest, 2)
        command = ""; closed = 0
        while (rest != "") {
            letter = substr(rest, 1, 1)
            if (letter == quote) { closed = 1; break }
            if (quote == "\"" && letter == "\\") { command = command substr(rest, 1, 2); rest = substr(rest, 3); continue }
            if (quote == "\047" && (letter == "\"" || letter == "\\")) letter = "\\" letter
            command = command letter; rest = substr(rest, 2)
        }
        if (at == 0 || name == "" || !closed || (quote != "\"" && quote != "\047") || name ~ /["\\]/) {
            print "windlass.toml:" NR ": not a check that this plan can read, left out" >"/dev/stderr"
            next
        }
        printf "{\"name\":\"%s\",\"command\":\"%s\"}\n", name, command
    }
' windlass.toml >"$parts/.checks"
[ -s "$parts/.checks" ] || none 'Its windlass.toml names no checks.'
awk '{ printf "%s%s", (NR > 1 ? "," : "["), $0 } END { print "]" }' "$parts/.checks"
