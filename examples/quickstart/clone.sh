# clone.sh REPO OUT: clones the last commit of REPO into OUT/repo and prints where everything is, as JSON.
# The checkout it comes from is only read. Run again, it begins afresh.
set -eu
export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_LFS_SKIP_SMUDGE=1
here=$(cd "$(dirname "$0")" && pwd)

fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 1; }

# The repository that REPO lies in.
top_of() { git -C "$1" rev-parse --show-toplevel 2>/dev/null || git -C "$1" rev-parse --absolute-git-dir 2>/dev/null; }
from=$(top_of "$1") || case $(git -C "$1" rev-parse --git-dir 2>&1) in
    *'dubious ownership'*)
        fail "$1 belongs to somebody else, and git reads only what is its user's own" \
            "if you trust it: git config --global --add safe.directory '$(cd "$1" && pwd)'" ;;
    *) fail "$1 is no git repository" "name one: --input repo=PATH" ;;
esac
commit=$(git -C "$from" rev-parse --verify --quiet 'HEAD^{commit}') ||
    fail "$from has no commit yet" "commit something first, or name another: --input repo=PATH"

out=${2:-${TMPDIR:-/tmp}/windlass-quickstart-${WINDLASS_RUN:-$$}}
mkdir -p -m 700 "$out"
out=$(cd "$out" && pwd)
# The temp folder is everybody's: a folder that somebody else made there under this name is not to be trusted.
[ -O "$out" ] || fail "$out belongs to somebody else" "name another folder: --input out=PATH"
# What lies there is removed only where this plan put it.
if [ ! -e "$out/.windlass-quickstart" ] && [ -n "$(ls -A "$out")" ]; then
    fail "$out is not empty, and not this plan's" "name an empty folder: --input out=PATH"
fi
: >"$out/.windlass-quickstart"
rm -rf "$out/repo" "$out/parts" "$out/target"
mkdir "$out/parts"

git clone --quiet --no-tags --no-checkout "$from" "$out/repo"
git -C "$out/repo" -c advice.detachedHead=false -c core.hooksPath=/dev/null checkout --quiet --detach "$commit"

set -- "$out"
. "$here/section.sh"
# What the checks of earlier runs built and nobody removed, because those runs were killed. The rest stays: a resume
# needs it, and so does who reads the report.
for old in "${TMPDIR:-/tmp}"/windlass-quickstart-*; do
    if [ ! -h "$old" ] && [ -O "$old" ] && [ -f "$old/.windlass-quickstart" ]; then clear_built "$old" || true; fi
done
changed=$(cd "$from" && git status --porcelain 2>/dev/null | wc -l | tr -d ' ') || changed=0
shallow=$(git rev-parse --is-shallow-repository)
commits=$(git rev-list --count HEAD)
basename "$from" .git | put name
{
    printf 'Commit `%s` of %s (%s): %s  \n' "$(git log -1 --format=%h)" "$(git log -1 --format=%cs)" \
        "$(count "$commits" commit)" "$(git log -1 --format=%s | cut -c 1-100 | sed 's/[`|<>*_]/\\&/g')"
    [ "$shallow" = false ] || printf 'The history is shallow: what is said of it is said of these commits only.  \n'
    [ "$changed" = 0 ] || printf 'The checkout has %s not in this commit, which nobody has looked at.  \n' \
        "$(count "$changed" change)"
} | put about

# The folders at the top, those with the most files first, 40 at most. A name with a control character other than a tab
# or a line end is left to the totals.
git ls-files -z | names | awk -F / 'NF > 1 && $1 !~ /[\003-\037\177]/ { n[$1]++ } END { for (d in n) print n[d] "\t" d }' |
    sort -k1,1nr -k2 | cut -f 2- | awk 'NR <= 40' | put folders
folders=$(awk '
    {
        name = ""
        for (at = 1; at <= length($0); at++) {
            letter = substr($0, at, 1)
            if (letter == "\001") letter = "\\n"
            else if (letter == "\002") letter = "\\t"
            else if (letter == "\"" || letter == "\\") letter = "\\" letter
            name = name letter
        }
        printf "%s\"%s\"", (NR > 1 ? "," : ""), name
    }
' "$parts/folders")
printf '{"out":%s,"from":%s,"commit":"%s","folders":[%s]}\n' "$(json "$out")" "$(json "$from")" "$commit" "$folders"
