# secrets.sh OUT: what looks like a key or a password in the text, each with its place. The value itself is never
# printed: the report may travel further than the repository.
. "$(dirname "$0")/section.sh"

look_for() {
    find_in_text -E -e "$2" -- . ':(exclude)*.lock' | awk -F '\t' -v kind="$1" '{ print $1 ":" $2 "\t" kind }'
}
{
    look_for 'private key' '-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----'
    look_for 'AWS access key' '(^|[^A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{16}([^A-Za-z0-9]|$)'
    look_for 'GitHub token' '(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})'
    look_for 'Slack token' 'xox[abprs]-[A-Za-z0-9-]{10}'
    look_for 'Google API key' 'AIza[A-Za-z0-9_-]{35}'
    look_for 'Stripe key' '[rs]k_live_[A-Za-z0-9]{20}'
    look_for 'Anthropic or OpenAI key' '(^|[^A-Za-z0-9])sk-(ant-|proj-)?[A-Za-z0-9_-]{32}'
    look_for 'password in a URL' '[a-z]+://[^/:@ "<>{}$]+:[^/@ "<>{}$]{6,}@[a-z0-9]'
    look_for 'assigned in clear text' '(password|passwd|secret|token|api_?key)["'\'']?[[:space:]]*[:=][[:space:]]*["'\''][A-Za-z0-9+/_=-]{16,}["'\'']'
} | sort -u >"$parts/.secrets"
found=$(wc -l <"$parts/.secrets" | tr -d ' ')
{
    printf '## What looks like a secret\n\n'
    if [ "$found" = 0 ]; then
        echo 'Nothing: no key, token or password of nine common shapes in any text file of this commit.'
    else
        awk -F '\t' "$shown"'NR <= 50 { printf "- %s: %s\n", code($1), $2 } END { if (NR > 50) printf "\n… and %d more.\n", NR - 50 }' "$parts/.secrets"
        printf '\nWhat was committed once stays in the history: change the secret, do not only delete the line.\n'
    fi
} | put secrets.md
if [ "$found" = 0 ]; then echo 'Nothing looks like a secret.'; else
    printf '**%s like a secret: look at %s.**\n' "$(count "$found" 'place looks' 'places look')" "$([ "$found" = 1 ] && echo it || echo them)"
fi | put secrets.line
cat "$parts/secrets.line"
