# inventory.sh OUT: languages by files, lines and bytes, and the largest files.
. "$(dirname "$0")/section.sh"

# A row for each tracked file: path, bytes, lines; binaries and empty files have none.
{
    lines_of_files . | awk -F '\t' '{ print "lines\t" $2 "\t" $1 }'
    git ls-tree -r -l -z HEAD | tr '\n\000' '\001\n' | awk '
        $2 == "blob" { size = $4; sub(/^[^\t]*\t/, ""); gsub(/\t/, "\002"); print "bytes\t" $0 "\t" size }'
} | awk -F '\t' '
    $1 == "lines" { lines[$2] = $3; next }
    { print $2 "\t" $3 "\t" lines[$2] }
' >"$parts/.files"

awk -F '\t' '
    BEGIN {
        split("rs Rust|py Python|pyi Python|js JavaScript|mjs JavaScript|cjs JavaScript|jsx JavaScript|" \
            "ts TypeScript|tsx TypeScript|go Go|java Java|kt Kotlin|kts Kotlin|scala Scala|c C|h C|cc C++|cpp C++|" \
            "cxx C++|hpp C++|cs C#|rb Ruby|php PHP|swift Swift|m Objective-C|ex Elixir|exs Elixir|erl Erlang|" \
            "hs Haskell|ml OCaml|lua Lua|pl Perl|pm Perl|r R|jl Julia|dart Dart|zig Zig|sh Shell|bash Shell|" \
            "sql SQL|html HTML|htm HTML|css CSS|scss CSS|vue Vue|svelte Svelte|md Markdown|rst Text|txt Text|" \
            "yaml YAML|yml YAML|toml TOML|json JSON|xml XML|proto Protobuf|nix Nix|tf Terraform|lock lock_files", rows, "|")
        for (i in rows) { split(rows[i], row, " "); language[row[1]] = row[2] }
    }
    {
        name = $1; sub(/.*\//, "", name)
        ending = tolower(name)
        if (name ~ /^(package-lock\.json|pnpm-lock\.yaml|go\.sum)$/) kind = "lock files"
        else if (name == "Makefile" || name ~ /\.mk$/) kind = "Make"
        else if (name ~ /^Dockerfile/) kind = "Docker"
        else if ($3 == "" && $2 > 0) kind = "binary"
        else if (sub(/.*\./, "", ending) && ending in language) { kind = language[ending]; sub(/_/, " ", kind) }
        else kind = "other"
        files[kind]++; lines[kind] += $3; bytes[kind] += $2
    }
    END { for (kind in files) print lines[kind] + 0 "\t" files[kind] "\t" bytes[kind] "\t" kind }
' "$parts/.files" | sort -k1,1nr -k3,3nr >"$parts/.languages"

size='function size(b) { return b < 1024 ? b " B" : b < 1048576 ? sprintf("%.1f KiB", b / 1024) : sprintf("%.1f MiB", b / 1048576) }'
total=$(awk -F '\t' '{ n += $1 } END { print n + 0 }' "$parts/.languages")
# Nobody wrote the lock files.
written=$(awk -F '\t' '$4 != "lock files" { n += $1 } END { print n + 0 }' "$parts/.languages")
files=$(wc -l <"$parts/.files" | tr -d ' ')
{
    printf '## What is in it\n\n| language | files | lines | share | size |\n|---|---:|---:|---:|---:|\n'
    awk -F '\t' -v written="$written" "$size"'
        { share = $4 == "lock files" || !written ? "" : sprintf("%.0f %%", 100 * $1 / written) }
        { printf "| %s | %d | %d | %s | %s |\n", $4, $2, $1, share, size($3) }
    ' "$parts/.languages"
    printf '\nThe largest files:\n\n'
    sort -t "$(printf '\t')" -k2,2nr -k1,1 "$parts/.files" | awk -F '\t' "$size$shown"'
        NR <= 5 { printf "- %s, %s%s\n", code($1), size($2), $3 == "" ? "" : ", " $3 ($3 == 1 ? " line" : " lines") }
    '
} | put inventory.md
main=$(awk -F '\t' -v written="$written" '
    $4 == "lock files" || $4 == "other" { next }
    written > 0 { printf ", mostly %s (%.0f %%)", $4, 100 * $1 / written; exit }' "$parts/.languages")
printf '%s with %s of text%s.\n' "$(count "$files" file)" "$(count "$total" line)" "$main" | put inventory.line
cat "$parts/inventory.line"
