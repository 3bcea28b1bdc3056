# ticket.sh OUT: made to fail the first time it runs, to show a retry. It takes a ticket; the attempt that finds
# none puts one down for the next. Nothing in the report rests on it but the line that tells of it.
. "$(dirname "$0")/section.sh"
if [ ! -e "$parts/ticket" ]; then
    echo "no ticket there yet" | put ticket
    echo "error: no ticket yet, the next attempt will find one (this is made to fail once)" >&2
    exit 75
fi
printf 'The ticket, made to be missing at first, was there at attempt %s.\n' "${WINDLASS_ATTEMPT:-?}" | put ticket.line
cat "$parts/ticket.line"
