# Ends a throwaway cluster: stops its server and removes its directories.
# $1: the cluster's directory. $2: its socket's directory.
#
# The process that made the cluster holds the other end of our standard input, and
# closes it when it is done or when it has ended, in whatever way that happened.
trap '' HUP INT TERM
while read -r _; do :; done

# Whether process $1 is the server of $2. Where there is no /proc, whether it lives.
serves() {
    if [ -r /proc/self/cmdline ]; then
        tr '\0' '\n' <"/proc/$1/cmdline" | grep -Fqx -e "$2"
    else
        kill -0 "$1"
    fi
}

tries=0
while [ -e "$1" ] && [ "$tries" -lt 400 ]; do
    pid=
    if [ -r "$1/data/postmaster.pid" ]; then
        read -r pid <"$1/data/postmaster.pid"
    fi
    if [ -n "$pid" ] && serves "$pid" "$1/data"; then
        # The server waits for its own processes, for 5 s at most.
        if [ "$tries" -lt 200 ]; then kill -s QUIT "$pid"; else kill -s KILL "$pid"; fi
        sleep 0.05
    else
        # It may fail while an initdb without a parent is still writing.
        rm -rf "$1" "$2" || sleep 0.05
    fi
    tries=$((tries + 1))
done
