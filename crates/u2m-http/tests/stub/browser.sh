#!/bin/sh
# Stands in for a browser: writes down what it was given, then does as it is told.
{
  for word in "$@"; do printf 'argument %s\n' "$word"; done
  export -p
  [ -z "$STUB_LISTENS" ] || printf 'input %s\n' "$(/bin/cat)"
  [ ! -r "/proc/$$/stat" ] || { read -r line < "/proc/$$/stat" && printf 'stat %s\n' "$line"; }
} > "$RECORD/${0##*/}.new"
/bin/mv "$RECORD/${0##*/}.new" "$RECORD/${0##*/}"
[ -z "$STUB_SPEAKS" ] || echo 'canary on standard output'
[ -z "$STUB_STAYS" ] || exec /bin/sleep "$STUB_STAYS"
[ -z "$STUB_FAILS_LATE" ] || /bin/sleep "$STUB_FAILS_LATE"
case " $STUB_FAILS " in *" ${0##*/} "*) exit 3 ;; esac
