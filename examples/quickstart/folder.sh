# folder.sh OUT INDEX NAME: one folder at the top: how large, what is in it, when it changed last. A row for the
# report's table, and the numbers as JSON.
. "$(dirname "$0")/section.sh"
index=$2
name=$3

# A name is a name here, never a pattern.
within=":(top,literal)$name"
line=$(printf '%s' "$name" | names)
files=$(git ls-files -z -- "$within" | names | wc -l | tr -d ' ')
lines=$(lines_of_files "$within" | awk -F '\t' '{ n += $1 } END { print n + 0 }') || lines=0
endings=$(git ls-files -z -- "$within" | names | sed 's/.*\///' | awk -F . '
    { n[NF > 1 && $1 != "" && $NF ~ /^[A-Za-z0-9_+-]+$/ ? "." $NF : "others"]++ } END { for (e in n) print n[e] "\t" e }' |
    sort -k1,1nr -k2 | awk -F '\t' 'NR <= 3 { printf "%s%s", (NR > 1 ? ", " : ""), $2 }')
# Not by -v: there a backslash would be read as the beginning of another character.
largest=$(lines_of_files "$within" | sort -k1,1nr | TOP="$line/" awk -F '\t' "$shown"'
    NR == 1 {
        path = $2; top = ENVIRON["TOP"]
        if (index(path, top) == 1) path = substr(path, length(top) + 1)
        print cell(path)
    }') || largest=
last=$(git log -1 --format=%cs -- "$within")
commits=$(git log -n 2000 --format=%h -- "$within" | wc -l | tr -d ' ')

printf '%s\t| %s | %s | %s | %s | %s | %s | %s |\n' "$lines" "$(printf '%s\n' "$line" | awk "$shown"'{ print cell($0) }')" \
    "$files" "$lines" "$endings" "$largest" "$commits" "$last" | put "folder-$index.row"
printf '{"folder":%s,"files":%s,"lines":%s,"commits":%s}\n' "$(json "$name")" "$files" "$lines" "$commits"
