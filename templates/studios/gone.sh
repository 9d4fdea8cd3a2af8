# Waits until containers that were told to stop are gone.
deadline=$(($(date +%s) + {{ seconds }}))
for studio in {{ containers }}; do
    while docker inspect --type container "$studio" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || { echo "$studio does not stop within {{ seconds }} s" >&2; exit 1; }
        sleep 0.2
    done
done
