# Waits until each container is ready, its model is loaded, and the node proxy sends requests to it.
{% include "studios/asking.sh" %}

undo() { :; }
most_restarts=3
for studio in {{ containers }}; do
    within {{ seconds }} "is not ready after {{ seconds }} s" stands "$studio"
    within {{ routed_seconds }} "is ready, but Traefik does not send requests to it (docker logs vv-node-proxy)" routed "$studio"
done
