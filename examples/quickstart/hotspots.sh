# hotspots.sh OUT: where the history changes most. What changes often, by many, and is large is where bugs are.
. "$(dirname "$0")/section.sh"

git log -n 2000 -z --no-merges --no-renames --numstat --format='@%x09%ae%x09%cs' | tr '\n\000' '\001\n' | awk '
    { sub(/^\001/, "") }
    # A name may hold a tab: the numbers before it do not.
    match($0, /^[0-9-]+\t[0-9-]+\t/) { name = substr($0, RLENGTH + 1); gsub(/\t/, "\002", name); $0 = substr($0, 1, RLENGTH) name }
    { print }
' >"$parts/.log"
commits=$(grep -c '^@' "$parts/.log") || commits=0
people=$(awk -F '\t' '$1 == "@" { who[$2] } END { for (w in who) n++; print n + 0 }' "$parts/.log")
git ls-files -z | names >"$parts/.tracked"
awk -F '\t' '
    FILENAME ~ /\.tracked$/ { there[$0]; next }
    $1 == "@" { who = $2; day = $3; next }
    NF == 3 && $3 in there {
        commits[$3]++; changed[$3] += $1 + $2
        if (!($3 in last)) last[$3] = day
        if (!(($3, who) in seen)) { seen[$3, who]; people[$3]++ }
    }
    END { for (f in commits) print commits[f] "\t" changed[f] "\t" people[f] "\t" last[f] "\t" f }
' "$parts/.tracked" "$parts/.log" | sort -k1,1nr -k2,2nr | awk 'NR <= 10' >"$parts/.hot"
{
    printf '## Where it changes\n\n'
    if [ "$commits" -le 1 ]; then
        echo 'The history that is here has a single commit: there is nothing to compare yet.'
    else
        printf 'Over the last %s by %s:\n\n' "$(count "$commits" commit)" "$(count "$people" person people)"
        printf '| file | commits | lines changed | people | last |\n|---|---:|---:|---:|---|\n'
        awk -F '\t' "$shown"'{ printf "| %s | %d | %d | %d | %s |\n", cell($5), $1, $2, $3, $4 }' "$parts/.hot"
    fi
} | put hotspots.md
if [ "$commits" -le 1 ]; then echo 'A single commit: no history to look at.'; else
    awk -F '\t' -v all="$commits" "$shown"'NR == 1 { printf "%s changes most: in %d of %d commits.\n", code($5), $1, all }' "$parts/.hot"
fi | put hotspots.line
cat "$parts/hotspots.line"
