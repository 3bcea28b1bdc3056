# licences.sh OUT: which licences are declared, which have their text in the tree, and whether the two fit.
. "$(dirname "$0")/section.sh"

# The licence that a text is, by sentences that only it has.
kind_of() {
    has() { tr -s ' \n\r\t' ' ' <"$file" | grep -q -i -F -e "$1"; }
    file=$1
    if has 'GNU AFFERO GENERAL PUBLIC LICENSE'; then echo AGPL-3.0
    elif has 'GNU LESSER GENERAL PUBLIC LICENSE'; then echo LGPL
    elif has 'GNU GENERAL PUBLIC LICENSE Version 3'; then echo GPL-3.0
    elif has 'GNU GENERAL PUBLIC LICENSE Version 2'; then echo GPL-2.0
    elif has 'Apache License Version 2.0'; then echo Apache-2.0
    elif has 'Mozilla Public License'; then echo MPL-2.0
    elif has 'Permission is hereby granted, free of charge'; then echo MIT
    elif has 'Permission to use, copy, modify, and/or distribute this software'; then echo ISC
    elif has 'This is free and unencumbered software'; then echo Unlicense
    elif has 'Redistribution and use in source and binary forms'; then
        if has 'Neither the name'; then echo BSD-3-Clause; else echo BSD-2-Clause; fi
    elif has 'CC0 1.0 Universal'; then echo CC0-1.0
    else echo unknown; fi
}

git ls-files -z | names | grep -i -E '(^|/)(LICEN[CS]E|COPYING|UNLICENSE)([-._][^/]*)?$' |
    grep -v -E '\.(rs|py|js|ts|go|c|h|java|sh|html)$' | awk 'NR <= 30' |
    while IFS= read -r path; do [ -f "$path" ] && printf '%s\t%s\n' "$(kind_of "$path")" "$path"; done >"$parts/.texts" || true
git grep -h -I -E -e '^[[:space:]]*"?license"?[[:space:]]*[=:][[:space:]]*"[^"]+"' -- '*Cargo.toml' '*package.json' '*pyproject.toml' |
    sed -E 's/.*[=:][[:space:]]*"([^"]+)".*/\1/' | sort | uniq -c | sort -k1,1nr |
    sed -E 's/^ *([0-9]+) /\1	/' >"$parts/.declared" || true
headers=$(git grep -l -I -e 'SPDX-License-''Identifier:' | wc -l | tr -d ' ') || headers=0
texts=$(cut -f 1 "$parts/.texts" | sort -u)

# Each licence that a manifest names should have its text somewhere.
missing=$(cut -f 2 "$parts/.declared" | tr ' /()' '\n' | grep -v -E '^(OR|AND|WITH|)$' | sort -u | while IFS= read -r name; do
    printf '%s\n' "$texts" | grep -q -x -F -e "$name" || printf '%s\n' "$name"
done)
{
    printf '## Licences\n\n'
    if [ -s "$parts/.texts" ]; then
        awk -F '\t' "$shown"'{ printf "- %s is %s\n", code($2), $1 == "unknown" ? "a licence that this plan does not know" : "the text of " $1 }' "$parts/.texts"
    else
        echo '- There is no licence text in the tree: without one, nobody may use it.'
    fi
    awk -F '\t' '{ printf "- %s %s `%s`\n", $1, $1 == 1 ? "manifest declares" : "manifests declare", $2 }' "$parts/.declared"
    [ "$headers" = 0 ] || printf '%s\n' "- $(count "$headers" 'file says' 'files say') by an SPDX header"
    [ -z "$missing" ] || printf '%s\n' "$missing" | sed 's/.*/- **`&` is declared, and its text is missing**/'
} | put licences.md
if [ ! -s "$parts/.texts" ]; then echo '**No licence text.**'
elif [ -n "$missing" ]; then printf '**Declared without its text: %s.**\n' "$(printf '%s' "$missing" | tr '\n' ' ')"
else printf 'Licensed: %s, text and manifests agree.\n' "$(printf '%s' "$texts" | tr '\n' ' ' | sed 's/ *$//; s/ /, /g')"
fi | put licences.line
cat "$parts/licences.line"
