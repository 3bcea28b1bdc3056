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

# Between scripts a name is a line, whatever it holds: \001 stands for a line end in it, \002 for a tab. git gives names
# as they are with -z only.
names() { tr '\n\t\000' '\001\002\n'; }

# For awk: a name as the report shows it, in its text and in a cell of a table.
shown='
    function code(name) {
        gsub(/[\001-\037\177]/, "?", name)
        return index(name, "`") ? "`` " name " ``" : "`" name "`"
    }
    function cell(name) { name = code(name); gsub(/\|/, "\\|", name); return name }
'

# Each tracked text file with its number of lines: `lines<TAB>name`.
lines_of_files() {
    git grep -z -I -c -e '' -- "$@" | tr '\t\000' '\002\t' | awk '
        { name = name $0 }
        !/\t[0-9]+$/ { name = name "\001"; next }
        { at = match(name, /\t[0-9]+$/); print substr(name, at + 1) "\t" substr(name, 1, at - 1); name = "" }
    '
}

# What git finds in text files, as `name<TAB>line<TAB>text`.
find_in_text() {
    git grep -z -n -I "$@" >"$parts/.found-$$" || [ $? = 1 ]
    tr '\t\000' '\002\t' <"$parts/.found-$$" | awk '
        { line = line $0 }
        # Some versions of git end the number of a line by a colon.
        !match(line, /\t[0-9]+[\t:]/) { line = line "\001"; next }
        {
            print substr(line, 1, RSTART + RLENGTH - 2) "\t" substr(line, RSTART + RLENGTH)
            line = ""
        }
    '
    rm -f "$parts/.found-$$"
}

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
