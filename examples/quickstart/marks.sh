# marks.sh OUT: notes to self that were left in the text, each with its place.
. "$(dirname "$0")/section.sh"

# The words are put together here so that this file is not among what it finds.
word="(TO""DO|FIX""ME|XX""X|HA""CK)"
find_in_text -w -E -e "$word" >"$parts/.marks"
found=$(wc -l <"$parts/.marks" | tr -d ' ')
{
    printf '## Notes left behind\n\n'
    if [ "$found" = 0 ]; then
        echo 'None: no TO''DO, FIX''ME, XX''X or HA''CK in any text file.'
    else
        awk -F '\t' -v most=50 "$shown"'
            NR <= most {
                text = $3
                gsub(/[ \002]+/, " ", text); sub(/^ /, "", text)
                if (length(text) > 100) text = substr(text, 1, 100) " …"
                gsub(/`/, "\047", text)
                printf "- %s `%s`\n", code($1 ":" $2), text
            }
            END { if (NR > most) printf "\n… and %d more.\n", NR - most }
        ' "$parts/.marks"
    fi
} | put marks.md
if [ "$found" = 0 ]; then echo 'No notes to self were left behind.'; else
    printf '%s to self in %s.\n' "$(count "$found" note)" "$(count "$(awk -F '\t' '{ f[$1] } END { for (i in f) n++; print n + 0 }' "$parts/.marks")" file)"
fi | put marks.line
cat "$parts/marks.line"
