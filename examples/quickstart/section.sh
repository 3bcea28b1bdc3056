# What the scripts share; each begins with `. section.sh`. Its first argument is the folder of this run: the clone
# is in repo/, each script puts a section of the report into parts/NAME.md and a line for the top of the report into
# parts/NAME.line. A file is moved to its place when it is whole, so that a script can be stopped and run again.
set -eu
export LC_ALL=C GIT_TERMINAL_PROMPT=0

out=$1
repo=$out/repo
parts=$out/parts
cd "$repo"

# git without the user's taste: names as they are, no pager, no colours.
git() { command git -c core.quotePath=false -c core.pager=cat -c color.ui=false "$@"; }

# Puts standard input into parts/$1.
put() {
    cat >"$parts/.$1.$$"
    mv "$parts/.$1.$$" "$parts/$1"
}

# One line of text as a JSON string. Control characters are dropped.
json() { printf '%s' "$1" | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/"/'; }

# `1 file`, `2 files`.
count() { if [ "$1" = 1 ]; then printf '1 %s' "$2"; else printf '%s %s' "$1" "${3:-$2s}"; fi; }

# Each tracked text file with its number of lines: `lines<TAB>path`.
lines_of_files() { git grep -z -I -c -e '' -- "$@" | tr '\000' '\t' | awk -F '\t' '{ print $2 "\t" $1 }'; }

# Removes what the checks of the run in folder $1 built: it is large, and built again where it is needed. Not while a
# check is at it; each has its pid in parts/.busy-N.
clear_built() {
    for busy in "$1"/parts/.busy-*; do
        if [ -f "$busy" ] && kill -0 "$(cat "$busy")" 2>/dev/null; then return 0; fi
    done
    # Out of the way at once: a check that begins meanwhile makes its own.
    if [ -e "$1/target" ]; then mv "$1/target" "$1/.built.$$"; fi
    rm -rf "$1"/.built.*
}
